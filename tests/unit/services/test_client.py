"""An agent as a server of its own on the loopback: it does what it is told, and says what it met."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from harness.mesh import LoadWish, RequestWish
from harness.services import agent
from harness.services.apps import client
from tests.unit.services import faulty
from tests.unit.services.faulty import OK, answer


class Asker:
    """Gives an agent orders over HTTP."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, method: str, path: str, order: Any = None) -> tuple[int, Any]:
        """Status and JSON of an answer, which says that it is the agent's own."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        connection.request(method, path, None if order is None else json.dumps(order))
        answered = connection.getresponse()
        assert answered.headers[agent.HEADER]
        told = json.loads(answered.read())
        connection.close()
        return answered.status, told


@pytest.fixture
def asker() -> Iterator[Asker]:
    """An agent, and somebody who asks it."""
    server = client.Server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield Asker(server.server_port)
    server.shutdown()
    server.server_close()
    thread.join()


def request(port: int, address: str = "127.0.0.1") -> dict[str, Any]:
    """An order for one request."""
    return {"address": address, "wish": agent.request_data(RequestWish("server", port, timeout=5))}


def load(port: int, **more: Any) -> dict[str, Any]:
    """An order for a load."""
    wish = RequestWish("server", port, timeout=5)
    fresh = RequestWish("server", port, headers=(("x-new", "1"),), timeout=5)
    order = agent.load_data(LoadWish(wish, rate=1000, watch=("x-version",), **more))
    return {"address": "127.0.0.1", "wish": order, "fresh": agent.request_data(fresh)}


def test_it_is_there(asker: Asker) -> None:
    """A probe is answered with 200."""
    assert asker.ask("GET", "/") == (200, {})


def test_a_request_is_sent_and_its_answer_told(asker: Asker) -> None:
    """The server's answer comes back with its headers."""
    with faulty.serving([answer(OK)]) as port:
        status, told = asker.ask("POST", "/request", request(port))
    seen = agent.response_of(told)
    assert (status, seen.status, seen.values("x-version")) == (200, 200, ("v1",))


@pytest.mark.parametrize("address", ["127.0.0.1", "no-such-name.invalid", "not a name", "a" * 300])
def test_who_cannot_be_reached_is_an_error_in_the_answer(asker: Asker, address: str) -> None:
    """A closed port and a name that nobody knows are told as a response without a status."""
    with faulty.serving([answer(OK)]) as port:
        pass
    status, told = asker.ask("POST", "/request", request(port, address))
    assert (status, told["status"]) == (200, None)
    assert told["error"]


class Echo(BaseHTTPRequestHandler):
    """Answers with what the request says of itself, and counts."""

    protocol_version = "HTTP/1.1"
    answered = threading.Semaphore(0)

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("x-version", self.headers.get("x-new") or "kept")
        self.send_header("content-length", "0")
        self.end_headers()
        self.answered.release()

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


def test_a_load_runs_until_it_is_stopped(asker: Asker) -> None:
    """A load sends on until its end, on new connections what is for those; its result can be asked for again."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        _, told = asker.ask("POST", "/load", load(server.server_port, kept=1, fresh=1))
        for _ in range(20):
            assert Echo.answered.acquire(timeout=20)
        status, met = asker.ask("DELETE", f"/load/{told['id']}")
        server.shutdown()
    result = agent.result_of(met)
    assert (status, result.failed) == (200, 0)
    assert result.sent >= 20
    assert set(result.seen) == {"x-version: kept", "x-version: 1"}
    assert asker.ask("DELETE", f"/load/{told['id']}") == (200, met)


@pytest.mark.parametrize("order", [None, [], {}, {"wish": {}}, {"address": 1, "wish": "x"}, "x"])
@pytest.mark.parametrize("path", ["/request", "/load"])
def test_a_bad_order_is_told_so(asker: Asker, path: str, order: Any) -> None:
    """An order that is none is answered with 400 and words, and the agent goes on."""
    status, told = asker.ask("POST", path, order)
    assert status == 400
    assert told["error"]
    assert asker.ask("GET", "/") == (200, {})


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/load/7"), ("GET", "/load"), ("POST", "/x/y/z")])
def test_what_is_not_there_is_told_so(asker: Asker, method: str, path: str) -> None:
    """A load that never was and a path that means nothing are 404."""
    assert asker.ask(method, path, {})[0] == 404
