"""A web site under a name that is somebody else's, on loopback: TLS and all, and nothing leaves this machine.

A program reaches it as its proxy (HTTPS_PROXY): asked for a tunnel to the site, it is the site at the other end of it.
It has no other end for any other name.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.services.pki import Authority


@dataclass(frozen=True)
class Site:
    """The environment in which a program finds it, and the paths that it was asked for."""

    environment: dict[str, str]
    asked: list[str] = field(default_factory=list)


@contextlib.contextmanager
def serving(name: str, content: Path, folder: Path) -> Iterator[Site]:
    """Serve the files of ``content`` as https://NAME/; keys and certificates go into ``folder``."""
    folder.mkdir(exist_ok=True)
    authority = Authority(folder)
    pair = authority.server("site", [name])
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(pair.certificate, pair.key)
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_CONNECT(self) -> None:
            if self.path != f"{name}:443":
                self.send_error(502)
                return
            self.send_response(200)
            self.end_headers()
            self.connection = trust.wrap_socket(self.connection, server_side=True)
            self.rfile = self.connection.makefile("rb")
            self.wfile = self.connection.makefile("wb", 0)

        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

        def finish(self) -> None:
            super().finish()
            self.connection.close()

        def log_message(self, *_: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), functools.partial(Handler, directory=content)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        proxy = f"http://127.0.0.1:{server.server_port}"
        environment = {"HTTPS_PROXY": proxy, "NO_PROXY": "", "SSL_CERT_FILE": str(authority.ca)}
        try:
            yield Site(environment, asked)
        finally:
            server.shutdown()
            thread.join()
