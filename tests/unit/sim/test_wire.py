"""What codecs do with names and values of all kinds. Measured on Envoy 1.36 and 1.40."""

from __future__ import annotations

import pytest

from harness.sim import Filter, answer, upstream
from tests.unit.sim.modules import GIVE, SAY, Texts, call, module

APP = [("x-sum", "1"), ("x-envoy-upstream-service-time", "0")]


def _adds(name: bytes, value: bytes, callback: str = "on_request_headers", kind: int = 0) -> bytes:
    texts = Texts()
    return module(texts, **{callback: call("add_header_map_value", kind, texts(name), texts(value))})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (b"x", b"a\nb", "invalid header value for: x"),
        (b"x", b"a\x07", "invalid header value for: x"),
        (b"x", b"a\x7f", "invalid header value for: x"),
        (b":foo", b"\0", "invalid header value for: :foo"),
        (b"x y", b"\x07", "invalid header name: x y"),
        (b'x\n\x01"\\', b"1", 'invalid header name: x\\n\\u0001\\"\\\\'),
        ("x\u00e9".encode(), b"1", "invalid header name: x\u00e9"),
    ],
)
def test_requests_that_are_not_sent(name: bytes, value: bytes, said: str) -> None:
    """A request with a name or a value that cannot be written is answered 503, and says what it is."""
    reply = Filter.load(_adds(name, value)).request()
    assert (reply.status, reply.text, reply.upstream) == (503, said, None)


@pytest.mark.parametrize(("value", "arrived"), [(b"a\tb", "a\tb"), (b" \ta ", "a"), (b"\xff", "\xff")])
def test_requests_that_are(value: bytes, arrived: str) -> None:
    """Tabs and bytes beyond ASCII are sent; blanks around a value are lost on the way."""
    reply = Filter.load(_adds(b"x-odd", value)).request()
    assert reply.upstream is not None
    assert reply.upstream.headers["x-odd"] == arrived


def test_a_call_that_is_not_sent() -> None:
    """A call is answered 503 likewise, and reaches nobody."""
    texts = Texts()
    headers = texts.pairs((":method", "GET"), (":path", "/"), (":authority", "side"), ("x y", "1"))
    ask = call("http_call", texts("side"), headers, texts(""), texts(""), 1000, 64)
    heard = call("get_header_map_value", 6, texts(":status"), GIVE) + SAY
    heard += call("get_buffer_bytes", 4, 0, 1000, GIVE) + SAY
    made = module(texts, on_request_headers=ask, on_http_call_response=heard)
    loaded = Filter.load(made, upstreams={"side": answer()})
    assert loaded.request().calls == []
    assert [line.message for line in loaded.logs] == ["503", "invalid header name: x y"]


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        (b"x", b"a\nb", [("x", "a"), ("b", "")]),
        (b"x", b"a\r\ny: 1", [("x", "a"), ("y", "1")]),
        (b"x\ny", b"1", [("x", ""), ("y", "1")]),
        (b"x:y", b"1", [("x", "y: 1")]),
        (b"x", b" a ", [("x", "a")]),
        (b"x", b"a\rb\0\x07", [("x", "a\rb\0\x07")]),
        (b"x y", b"1", [("x y", "1")]),
    ],
)
@pytest.mark.parametrize(("callback", "kind"), [("on_response_headers", 2), ("on_response_trailers", 3)])
def test_answers_are_written_as_they_are(
    name: bytes, value: bytes, read: list[tuple[str, str]], callback: str, kind: int
) -> None:
    """Line ends in an answer's headers and trailers make other lines of them for the client."""
    back = upstream.Reply(200, (), (b"ok",), ((b"x-sum", b"1"),))
    reply = Filter.load(_adds(name, value, callback, kind), upstreams={"app": back}).request()
    found = list(reply.headers if kind == 2 else reply.trailers)
    assert [pair for pair in found if pair[0].startswith(("x", "y", "b")) and pair not in APP] == read
    assert reply.text == "ok"


@pytest.mark.parametrize(
    ("status", "seen", "outcome"),
    [
        ("100", None, "timeout"),
        ("101", None, "timeout"),
        ("0", None, "timeout"),
        (" 200", 200, "response"),
        ("+200", 200, "response"),
        ("1000", 1000, "response"),
        ("-1", 502, "response"),
        ("99999999999999999999", 502, "response"),
        ("204", 204, "response"),
    ],
)
def test_statuses(status: str, seen: int | None, outcome: str) -> None:
    """An answer below 200 does not say where its body ends; what is no number is a 502."""
    texts = Texts()
    change = call("replace_header_map_value", 2, texts(":status"), texts(status))
    reply = Filter.load(module(texts, on_response_headers=change)).request()
    assert (reply.status, reply.outcome) == (seen, outcome)


@pytest.mark.parametrize(("body", "outcome"), [(None, "timeout"), (["a", "b"], "reset")])
def test_own_answers_below_200(body: list[str] | None, outcome: str) -> None:
    """A filter's own one likewise; behind a request that has not come whole the connection is closed."""
    texts = Texts()
    answers = call("send_local_response", 101, texts(""), texts(""), texts(""), -1)
    assert Filter.load(module(texts, on_request_headers=answers)).request(body=body).outcome == outcome
    large = call("send_local_response", 0x10000 + 403, texts(""), texts(""), texts(""), -1)
    assert Filter.load(module(texts, on_request_headers=large)).request().status == 403


def test_an_answer_that_is_split() -> None:
    """An empty line ends the headers: what the client takes for the body is what its length says, or has no end."""
    sized = upstream.Reply(200, ((b"content-length", b"5"),), (b"12345",))
    made = _adds(b"x", b"a\r\n\r\nevil", "on_response_headers", 2)
    reply = Filter.load(made, upstreams={"app": sized}).request()
    assert reply.text == "evil\r"
    assert Filter.load(made).request().outcome == "timeout"
