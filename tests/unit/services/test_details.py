"""The application, asked over real connections."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator

import pytest

from harness.services.apps import details


@pytest.fixture
def app() -> Iterator[http.client.HTTPConnection]:
    """A connection to a running application."""
    server = details._Server(("127.0.0.1", 0), details._Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=20)
    yield connection
    connection.close()
    server.shutdown()
    server.server_close()


def test_it_answers_like_details_and_tells_what_reached_it(app: http.client.HTTPConnection) -> None:
    """GET /details/<id> gives the book, and under request what came, repetitions in order."""
    app.putrequest("GET", "/details/7?x=1", skip_accept_encoding=True)
    for value in ("1", "2"):
        app.putheader("X-One", value)
    app.endheaders()
    answer = app.getresponse()
    told = json.loads(answer.read())
    assert (answer.status, told["id"], told["author"]) == (200, 7, "William Shakespeare")
    request = told["request"]
    assert (request["method"], request["path"], request["port"]) == ("GET", "/details/7?x=1", app.port)
    assert [pair for pair in request["headers"] if pair[0] == "X-One"] == [["X-One", "1"], ["X-One", "2"]]


@pytest.mark.parametrize("path", ["/", "/details", "/details/x", "/details/1/2", "/productpage"])
def test_everything_else_is_not_found_in_the_same_shape(app: http.client.HTTPConnection, path: str) -> None:
    """Other paths answer 404, with the request told too."""
    app.request("GET", path)
    answer = app.getresponse()
    assert answer.status == 404
    assert json.loads(answer.read())["request"]["path"] == path


def test_a_connection_stays_open_over_bodies_and_methods(app: http.client.HTTPConnection) -> None:
    """Requests with bodies and HEAD leave the connection usable for the next."""
    for method, body in (("POST", b"x" * 100_000), ("HEAD", None), ("PUT", b""), ("GET", None)):
        app.request(method, "/details/1", body)
        answer = app.getresponse()
        length = len(answer.read())
        assert answer.status == 200
        assert (length == 0) == (method == "HEAD")
        assert app.sock is not None
