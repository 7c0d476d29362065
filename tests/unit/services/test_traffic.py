"""Requests as scenarios send them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.mesh import RequestWish
from harness.services import traffic
from tests.unit.services import faulty
from tests.unit.services.faulty import CUT, UNAVAILABLE, Act, answer


def ask(*acts: Act) -> traffic.Response:
    """One answer of a server that acts so."""
    with faulty.serving(acts) as port:
        return traffic.once(traffic.dial, "127.0.0.1", RequestWish("server", port, timeout=5))


def test_headers_keep_their_order_and_repetitions() -> None:
    """Names come in lower case, repeated fields one by one, and the body whole."""
    seen = ask(answer(b"HTTP/1.1 200 OK\r\nX-B: 1\r\nX-A: 2\r\nx-b: 3\r\nContent-Length: 3\r\n\r\nabc"))
    assert seen.headers == (("x-b", "1"), ("x-a", "2"), ("x-b", "3"), ("content-length", "3"))
    assert (seen.status, seen.body, seen.values("X-B"), seen.app) == (200, b"abc", ("1", "3"), None)


def test_what_the_application_says_is_read_out_of_its_json() -> None:
    """The request that reached the application is told where the answer is its JSON."""
    body = json.dumps({"id": 1, "request": {"port": 9080}}).encode()
    head = f"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    assert ask(answer(head.encode() + body)).app == {"port": 9080}
    assert ask(answer(UNAVAILABLE)).app is None


@pytest.mark.parametrize("act", [answer(CUT), faulty.reset, faulty.silent_end])
def test_no_whole_answer_is_an_error_and_no_exception(act: Act) -> None:
    """Whatever the other side does, the response says it and has no status."""
    seen = ask(act)
    assert seen.status is None
    assert seen.error


@given(st.binary(max_size=200))
def test_no_body_confuses_the_reader(body: bytes) -> None:
    """Any bytes under any claim of JSON give a mapping or None, never an exception."""
    told = traffic._application((("content-type", "application/json"),), body)
    assert told is None or isinstance(told, dict)
