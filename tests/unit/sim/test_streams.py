"""Bodies, trailers and answers pass a filter as Envoy passes them; each claim was measured on a real one."""

from __future__ import annotations

import pytest

from harness.sim import Filter, answer, upstream
from tests.unit.sim.modules import GIVE, SAY, Texts, call, module

PAUSE = "(i32.const 1) ;;answers"
BODY = call("get_buffer_bytes", 0, 0, 1000, GIVE) + SAY


def _messages(loaded: Filter) -> list[str]:
    return [line.message for line in loaded.logs]


def _pausing(result: int) -> bytes:
    """Answers so to each part of a request's body, and 0 to its end."""
    last = f"(select (i32.const 0) (i32.const {result}) (local.get $2)) ;;answers"
    return module(Texts(), on_request_body=BODY + last)


@pytest.mark.parametrize(
    ("result", "seen", "arrived"),
    [
        (0, ["ab", "cd", ""], b"abcd"),
        (1, ["ab", "abcd", "abcd"], b"abcd"),
        (2, ["ab", "cd", ""], b"abcd"),
        (3, ["ab", "cd", ""], b""),
    ],
)
def test_parts_of_a_body(result: int, seen: list[str], arrived: bytes) -> None:
    """0 passes parts on, 1 gathers them, 2 holds them back, 3 drops them."""
    loaded = Filter.load(_pausing(result))
    reply = loaded.request("POST", body=["ab", "cd"])
    assert _messages(loaded) == seen
    assert reply.upstream is not None
    assert reply.upstream.body == arrived


def test_headers_that_have_left() -> None:
    """What a filter that stopped does to the headers with the first part of a body arrives, and not what follows."""
    texts = Texts()
    again = call("add_header_map_value", 0, texts("x-part"), texts("seen"))
    anew = call("replace_header_map_value", 0, texts("te"), texts("trailers"))
    made = module(texts, on_request_headers=PAUSE, on_request_body=again + anew)
    reply = Filter.load(made, stops_on_headers=True).request("POST", body=["ab", "cd"])
    assert reply.upstream is not None
    assert reply.upstream.headers.all("x-part") == ["seen"]
    names = [name for name, _ in reply.upstream.headers]
    assert names.index("te") < names.index("x-envoy-expected-rq-timeout-ms")


def test_request_that_goes_on_unpaused() -> None:
    """A GET that goes on without a pause goes out twice, as the chain behind its filter runs twice."""
    asked: list[str] = []

    def app(request: upstream.Arrived) -> upstream.Reply:
        asked.append(request.path)
        return answer()

    loaded = Filter.load(
        module(Texts(), on_request_headers=call("continue_stream", 0)), upstreams={"app": app}
    )
    assert (loaded.request().status, asked) == (200, ["/", "/"])


def test_headers_are_not_there_yet() -> None:
    """When a stream's context is made, its headers cannot be seen."""
    texts = Texts()
    size = call("get_header_map_value", 0, texts(":path"), GIVE)
    asks = f"(if (i32.eqz {size.removeprefix('(drop ').removesuffix(')')}) (then (unreachable)))"
    assert Filter.load(module(texts, on_context_create=asks)).request().status == 200


def test_trailers_end_a_body() -> None:
    """With trailers no part of a body is the last, and they arrive."""
    texts = Texts()
    made = module(texts, on_request_body=BODY, on_request_trailers=call("log", 2, texts("trailers")))
    loaded = Filter.load(made)
    reply = loaded.request("POST", body=["ab"], trailers={"X-Sum": "1"})
    assert _messages(loaded) == ["ab", "trailers"]
    assert reply.upstream is not None
    assert list(reply.upstream.trailers) == [("x-sum", "1")]


def test_trailers_are_made() -> None:
    """A filter may add trailers with the last part of a body."""
    texts = Texts()
    add = call("add_header_map_value", 1, texts("x-made"), texts("1"))
    reply = Filter.load(module(texts, on_request_body=f"(if (local.get $2) (then {add}))")).request(
        "POST", body=["ab"]
    )
    assert reply.upstream is not None
    assert list(reply.upstream.trailers) == [("x-made", "1")]


@pytest.mark.parametrize(("stops", "bodies"), [(False, []), (True, ["ab", ""])])
def test_pause_at_the_headers(stops: bool, bodies: list[str]) -> None:
    """A pause at the headers stops the body too, unless the plugin is allowed to see it."""
    made = module(Texts(), on_request_headers=PAUSE, on_request_body=BODY)
    loaded = Filter.load(made, stops_on_headers=stops)
    reply = loaded.request("POST", body=["ab"])
    assert _messages(loaded) == bodies
    assert reply.outcome == ("response" if stops else "timeout")


def _denies(callback: str) -> bytes:
    texts = Texts()
    deny = call("send_local_response", 403, texts("why"), texts("no"), texts.pairs(("x-l", "1")), -1)
    seen = call("log", 2, texts("response"))
    return module(
        texts, **{"on_response_headers": seen, callback: (seen if "headers" in callback else "") + deny}
    )


def test_answer_passes_the_filter_itself() -> None:
    """An answer to a request passes the response callbacks, the filter's own too."""
    loaded = Filter.load(_denies("on_request_headers"))
    reply = loaded.request()
    assert (reply.status, reply.text, reply.local) == (403, "no", True)
    assert [name for name, _ in reply.headers] == ["x-l", "content-length", "content-type", "date", "server"]
    assert _messages(loaded) == ["response", "response"]


def test_answer_to_an_answer() -> None:
    """An answer at the response's headers replaces it, and passes nobody."""
    loaded = Filter.load(_denies("on_response_headers"))
    reply = loaded.request()
    assert (reply.status, reply.text, _messages(loaded)) == (403, "no", ["response"])


def test_several_answers() -> None:
    """Of several answers to a request the first counts; one to its own answer replaces it."""
    texts = Texts()
    first, second, third = (
        call("send_local_response", status, texts(""), texts(str(status)), texts(""), -1)
        for status in (401, 402, 403)
    )
    assert Filter.load(module(texts, on_request_headers=first + second)).request().status == 401
    both = module(texts, on_request_headers=first, on_response_headers=third)
    assert Filter.load(both).request().status == 403


def test_answer_that_comes_too_late() -> None:
    """Once the answer is on its way, the connection can only be ended."""
    assert Filter.load(_denies("on_response_body")).request().outcome == "reset"


def test_grpc_gets_its_answer_in_headers() -> None:
    """A gRPC request is answered 200, with a status in the headers."""
    reply = Filter.load(_denies("on_request_headers")).request(
        "POST", headers={"content-type": "application/grpc"}
    )
    assert (reply.status, reply.headers["grpc-status"], reply.headers["grpc-message"]) == (200, "7", "no")


def test_reset() -> None:
    """A closed stream is a closed connection."""
    made = module(Texts(), on_request_headers=call("close_stream", 0))
    assert Filter.load(made).request().outcome == "closed"


def test_end_of_a_stream() -> None:
    """A stream is logged, then done, then deleted."""
    texts = Texts()
    said = {name: call("log", 2, texts(name)) for name in ("on_delete", "on_done", "on_log")}
    loaded = Filter.load(module(texts, **said))
    loaded.request()
    assert _messages(loaded) == ["on_log", "on_done", "on_delete"]


@pytest.mark.parametrize(
    ("start", "size", "arrived"), [(0, 0, b"Xab"), (0, 1, b"Xb"), (0, 9, b"X"), (9, 0, b"abX"), (1, 1, b"ab")]
)
def test_bodies_are_changed(start: int, size: int, arrived: bytes) -> None:
    """A body is changed at its beginning and behind it, and not in between."""
    texts = Texts()
    change = call("set_buffer_bytes", 0, start, size, texts("X"))
    made = module(texts, on_request_body=f"(if (i32.eqz (local.get $2)) (then {change}))")
    reply = Filter.load(made).request("POST", body=["ab"])
    assert reply.upstream is not None
    assert reply.upstream.body == arrived


def test_route_out_of_time() -> None:
    """An application that takes too long is a 504."""
    slow = Filter.load(module(Texts()), upstreams={"app": answer(delay=3600)})
    assert slow.request().outcome == "timeout"  # the client waits for five seconds, the route for fifteen


def test_too_short_a_body() -> None:
    """An answer that is shorter than it says never ends for its client."""
    short = upstream.Reply(200, ((b"content-length", b"5"),), (b"ab",))
    assert Filter.load(module(Texts()), upstreams={"app": short}).request().outcome == "timeout"


def test_abi_0_1_0() -> None:
    """The first ABI: two parameters at the headers, and what is not there is empty."""
    from harness.sim import vm

    made = vm.assemble(
        """(module (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_continue_request" (func $go (result i32))) (memory (export "memory") 1)
        (func (export "proxy_abi_version_0_1_0")) (func (export "malloc") (param i32) (result i32) (i32.const 99))
        (func (export "proxy_on_request_headers") (param i32 i32) (result i32)
          (if (call $get (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 8) (i32.const 12)) (then (unreachable)))
          (drop (call $go)) (i32.const 1)))"""
    )
    assert Filter.load(made).request().status == 200


@pytest.mark.parametrize(("result", "status"), [(0, 200), (1, 413), (3, 200)])
def test_too_large_a_request(result: int, status: int) -> None:
    """A body of more than a mebibyte cannot be gathered; it can be passed on, or dropped."""
    reply = Filter.load(_pausing(result)).request("POST", body=[b"x" * 600_000] * 2)
    assert reply.status == status


def test_too_large_a_request_to_hold_back() -> None:
    """A client whose body is held back cannot go on sending."""
    loaded = Filter.load(_pausing(2))
    assert loaded.request("POST", body=[b"x" * 600_000] * 3).outcome == "timeout"
    assert len(loaded.logs) == 2


def test_too_large_an_answer() -> None:
    """An answer that has begun and is too large to be gathered breaks off."""
    gathers = "(select (i32.const 0) (i32.const 1) (local.get $2)) ;;answers"
    large = answer(200, [b"x" * 600_000] * 2)
    loaded = Filter.load(module(Texts(), on_response_body=gathers), upstreams={"app": large})
    assert loaded.request().outcome == "reset"
