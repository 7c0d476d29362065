"""Bookinfo's ``details`` as a program that also tells what reached it: ``... details --port 9080 --port 9081``.

GET /details/<id> answers 200, everything else 404, both with JSON: what details are known, and under ``request`` the
method, path, port and header fields as they came, in order and with repetitions.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

_BOOK: Final[Mapping[str, Any]] = {
    "author": "William Shakespeare",
    "year": 1595,
    "type": "paperback",
    "pages": 200,
    "language": "English",
}
_DETAILS: Final = re.compile(r"/details/(\d+)(?:\?.*)?")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "details"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one segment

    def answer(self) -> None:
        """Answer any request."""
        length = int(self.headers.get("content-length") or 0)
        self.rfile.read(length)
        found = _DETAILS.fullmatch(self.path)
        known = {"id": int(found[1]), **_BOOK} if found else {"error": f"`{self.path}' not found."}
        body = json.dumps({**known, "request": self._request()}).encode()
        self.send_response(200 if found else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = answer  # noqa: N815

    def _request(self) -> dict[str, Any]:
        port = self.connection.getsockname()[1]
        headers = [[name, value] for name, value in self.headers.items()]
        return {"method": self.command, "path": self.path, "port": port, "headers": headers}

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the sidecar's access log tells."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    """Serve until told to end."""
    # The first process of a container has no default action for signals.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    parser = argparse.ArgumentParser(description="Bookinfo's details.")
    parser.add_argument("--port", type=int, action="append", required=True)
    ports = parser.parse_args().port
    servers = [_Server(("0.0.0.0", port), _Handler) for port in ports]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()


if __name__ == "__main__":
    main()
