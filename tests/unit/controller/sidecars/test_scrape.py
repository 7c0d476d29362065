"""Reading the statistics of a sidecar, over a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import socket
import threading
import urllib.parse
from collections.abc import Iterator

import pytest

from autowasm import errors, limits
from autowasm.controller.sidecars import statistics
from autowasm.controller.sidecars.scrape import Scraper
from autowasm.net import session

GOOD = b"envoy_server_concurrency{} 2\nenvoy_wasm_envoy_wasm_runtime_v8_active{} 4\n"


class Endpoint:
    """What answers at the port, and what it was asked."""

    def __init__(self) -> None:
        self.status, self.body, self.asked, self.port = 200, GOOD, "", 0


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """A sidecar's port for statistics."""
    found = Endpoint()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked = self.path
            self.send_response(found.status)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # a client that has seen enough
                super().handle()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def look(port: int) -> statistics.Statistics:
    """One look."""

    async def scene() -> statistics.Statistics:
        async with session.client(timeout=5, proxies=False) as http_client:
            return await Scraper(http_client, port).statistics("127.0.0.1")

    return asyncio.run(scene())


def test_a_look(endpoint):
    """What Envoy says is read, and only what is looked at was asked for."""
    assert (look(endpoint.port).vms, look(endpoint.port).workers) == (4, 2)
    path, _, query = endpoint.asked.partition("?")
    assert path == "/stats/prometheus"
    assert urllib.parse.parse_qs(query) == {"filter": [statistics.FILTER]}


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (403, b"RBAC: access denied", "Forbidden"),
        (503, b"", "ProxyFault"),
        (200, b"<html>", "NoStatistics"),
        (200, b"", "NoStatistics"),
        (200, GOOD + b"#" * limits.STATISTICS_BYTES, "TooLarge"),
    ],
)
def test_what_is_no_look(endpoint, status, body, reason):
    """A refusal, nonsense, and more than is read are errors of the proxy's side, each with its reason."""
    endpoint.status, endpoint.body = status, body
    with pytest.raises(errors.Error) as fault:
        look(endpoint.port)
    assert (fault.value.side, fault.value.reason) == ("proxy", reason)


def test_nobody_there():
    """A port where nobody listens is unreachable, which a wait may heal."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(errors.Retry) as fault:
            look(taken.getsockname()[1])
    assert fault.value.reason == "Unreachable"
    assert "connection refused" in str(fault.value)
