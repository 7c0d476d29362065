"""Calls may go to a real HTTP server."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from harness.sim import real
from harness.sim.upstream import Arrived


class _Echo(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(201)
        self.send_header("x-asked", self.headers["x-q"])
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    """Where an echo listens."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def _request(body: bytes) -> Arrived:
    headers = ((b"host", b"a"), (b"x-q", b"1"), (b"content-length", str(len(body)).encode()))
    return Arrived("side", "POST", "/x", headers, body)


def test_passes_on(port: int) -> None:
    """A request arrives as it was sent, and its answer comes back."""
    reply = real.at(f"http://127.0.0.1:{port}")(_request(b"hello"))
    assert (reply.status, reply.body) == (201, (b"hello",))
    assert (b"x-asked", b"1") in reply.headers


def test_nobody_there(port: int) -> None:
    """A server that does not answer is a 503."""
    refused = real.at(f"http://127.0.0.1:{port}")
    closed = real.at("http://127.0.0.1:1")
    assert closed(_request(b"")).status == 503
    assert refused(_request(b"x")).status == 201


@pytest.mark.parametrize("url", ["https://a", "a:80", "http://"])
def test_other_addresses(url: str) -> None:
    """Only HTTP servers can be called."""
    with pytest.raises(real.BadAddress):
        real.at(url)
