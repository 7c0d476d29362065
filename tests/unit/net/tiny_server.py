"""A tiny real HTTP server that answers as a test says: faults, redirects, challenges, cut connections."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Seen:
    """A request that came: ``headers`` by lower-case name, ``port`` of the connection's other end."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    port: int = 0


@dataclass(frozen=True)
class Answer:
    """What to answer. ``cut``: send so many bytes of the body, then drop the connection (-1: at once).

    ``stream``: what to send in place of all that, header included, piece by piece while the client takes it.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    stream: Callable[[], Iterator[bytes]] | None = None


Handler = Callable[[Seen], Answer]


class Server:
    """The routes, and what was asked. A route is an answer, a function, or a list used up one by one."""

    def __init__(self, port: int, scheme: str) -> None:
        self.host = f"127.0.0.1:{port}"
        self.url = f"{scheme}://{self.host}"
        self.routes: dict[tuple[str, str], Answer | Handler | list[Answer]] = {}
        self.seen: list[Seen] = []

    def answer(self, seen: Seen) -> Answer:
        """Look the request up; the last answer of a list stays."""
        self.seen.append(seen)
        route = self.routes.get((seen.method, seen.path.partition("?")[0]), Answer(404))
        if isinstance(route, list):
            return route.pop(0) if len(route) > 1 else route[0]
        return route if isinstance(route, Answer) else route(seen)

    def asked(self, method: str, path: str) -> list[Seen]:
        """The requests of a method to a path, without its query."""
        return [seen for seen in self.seen if (seen.method, seen.path.partition("?")[0]) == (method, path)]


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve on a free loopback port until the end of the block, over TLS where there is a context for it."""
    with _Listener(("127.0.0.1", 0), _Request) as listener:
        if tls is not None:
            listener.socket = tls.wrap_socket(listener.socket, server_side=True)
        server = listener.tiny = Server(listener.server_address[1], "https" if tls else "http")
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown()
            thread.join()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    tiny: Server

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away, and handshakes that are refused, are what tests are about."""


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5  # a client that says nothing holds no test

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.tiny.answer(Seen(self.command, self.path, headers, body, self.client_address[1]))
        if answer.cut == -1:
            self.close_connection = True
            return
        if answer.stream is not None:
            self._stream(answer.stream())
            return
        self.send_response_only(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: answer.cut])
        self.close_connection = answer.cut is not None

    def _stream(self, pieces: Iterator[bytes]) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            for piece in pieces:
                self.wfile.write(piece)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the base class's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""
