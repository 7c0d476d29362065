"""Host functions do their work: calls to clusters, queues, data, metrics, ticks, properties, foreign functions."""

from __future__ import annotations

import pytest

from harness.sim import Filter, answer, upstream
from harness.sim.outgoing import frame
from tests.unit.sim.modules import GIVE, SAY, Texts, call, module

PAUSE = "(i32.const 1) ;;answers"
KEEP = "(global $stream (mut i32) (i32.const 0))"


def _http_call(texts: Texts, cluster: str = "side", timeout: int = 1000) -> str:
    headers = texts.pairs((":method", "POST"), (":path", "/check"), (":authority", "side"), ("x-q", "1"))
    return "(global.set $stream (local.get $0))" + call(
        "http_call", texts(cluster), headers, texts("question"), texts(""), timeout, 64
    )


def _asks(timeout: int = 1000) -> bytes:
    """Pauses requests, asks cluster "side", logs its status and body, and goes on."""
    texts = Texts()
    heard = call("get_header_map_value", 6, texts(":status"), GIVE) + SAY
    heard += call("get_buffer_bytes", 4, 0, 1000, GIVE) + SAY
    heard += call("set_effective_context", "(global.get $stream)") + call("continue_stream", 0)
    ask = _http_call(texts, timeout=timeout)
    return module(texts, globals_=KEEP, on_request_headers=ask + PAUSE, on_http_call_response=heard)


def _messages(loaded: Filter) -> list[str]:
    return [line.message for line in loaded.logs]


def test_http_call_holds_the_request_until_it_is_answered() -> None:
    """A request that waits for a call goes on with its answer; the cluster gets what was sent."""
    loaded = Filter.load(_asks(), upstreams={"side": answer(201, "fine", {"content-length": "4"})})
    reply = loaded.request("POST", body=["a", "b"])
    assert (reply.status, _messages(loaded)) == (200, ["201", "fine"])
    assert reply.upstream is not None
    assert reply.upstream.body == b"ab"
    [asked] = reply.calls
    assert (asked.method, asked.path, asked.body) == ("POST", "/check", b"question")
    assert (asked.headers["x-q"], asked.headers["content-length"]) == ("1", "8")


def test_http_call_out_of_time() -> None:
    """An answer that comes too late is the proxy's own 504, in simulated time."""
    loaded = Filter.load(_asks(timeout=50), upstreams={"side": answer(delay=3600.0)})
    assert loaded.request().status == 200
    assert _messages(loaded) == ["504", "upstream request timeout"]


def test_http_call_to_a_function() -> None:
    """A cluster may be a function of what it is asked."""

    def side(request: upstream.Arrived) -> upstream.Reply:
        return answer(200, request.method + " " + request.path)

    loaded = Filter.load(_asks(), upstreams={"side": side})
    loaded.request()
    assert _messages(loaded)[1] == "POST /check"


def test_http_call_to_nobody() -> None:
    """A cluster that is not there is a bad argument, and the stream stays paused."""
    loaded = Filter.load(_asks())
    assert loaded.request().outcome == "timeout"


def test_local_response_to_a_waiting_request() -> None:
    """A call's answer may become the client's."""
    texts = Texts()
    refuse = call("set_effective_context", "(global.get $stream)")
    refuse += call("send_local_response", 401, texts(""), texts("no"), texts.pairs(("x-why", "key")), -1)
    made = module(
        texts, globals_=KEEP, on_request_headers=_http_call(texts) + PAUSE, on_http_call_response=refuse
    )
    reply = Filter.load(made, upstreams={"side": answer()}).request()
    assert (reply.status, reply.text, reply.headers["x-why"], reply.local) == (401, "no", "key", True)


def test_grpc_call() -> None:
    """One message goes, one comes; the request is what gRPC sends."""
    texts = Texts()
    ask = call(
        "grpc_call",
        texts("side"),
        texts("pkg.Service"),
        texts("Get"),
        texts.pairs(("x-m", "1")),
        texts("ping"),
        900,
        64,
    )
    heard = call("get_buffer_bytes", 5, 0, 100, GIVE) + SAY
    made = module(texts, on_request_headers=ask, on_grpc_receive=heard)
    back = upstream.Reply(
        200, ((b"content-type", b"application/grpc"),), (frame(b"pong"),), ((b"grpc-status", b"0"),)
    )
    loaded = Filter.load(made, upstreams={"side": back})
    [asked] = loaded.request().calls
    assert (asked.path, asked.body, asked.headers["x-m"]) == ("/pkg.Service/Get", frame(b"ping"), "1")
    assert _messages(loaded) == ["pong"]


def test_grpc_failure() -> None:
    """A call that fails is closed with its status."""
    texts = Texts()
    ask = call("grpc_call", texts("side"), texts("s"), texts("m"), texts(""), texts("ping"), 900, 64)
    heard = "(if (i32.ne (local.get $2) (i32.const 7)) (then (unreachable)))" + call(
        "log", 2, texts("denied")
    )
    loaded = Filter.load(
        module(texts, on_request_headers=ask, on_grpc_close=heard),
        upstreams={"side": upstream.Reply(200, (), (), ((b"grpc-status", b"7"),))},
    )
    loaded.request()
    assert (_messages(loaded), loaded.failure) == (["denied"], "")


def test_grpc_stream() -> None:
    """A stream sends its messages, and gets all that come, and their metadata."""
    texts = Texts()
    ask = call("grpc_stream", texts("side"), texts("s"), texts("m"), texts(""), 64)
    ask += call("grpc_send", "(i32.load (i32.const 64))", texts("one"), 0)
    ask += call("grpc_send", "(i32.load (i32.const 64))", texts("two"), 1)
    heard = call("get_buffer_bytes", 5, 0, 100, GIVE) + SAY
    trailing = call("get_header_map_value", 5, texts("x-t"), GIVE) + SAY
    back = upstream.Reply(200, (), (frame(b"a") + frame(b"b"),), ((b"x-t", b"end"), (b"grpc-status", b"0")))
    loaded = Filter.load(
        module(
            texts, on_request_headers=ask, on_grpc_receive=heard, on_grpc_receive_trailing_metadata=trailing
        ),
        upstreams={"side": back},
    )
    [asked] = loaded.request().calls
    assert asked.body == frame(b"one") + frame(b"two")
    assert _messages(loaded) == ["a", "b", "end"]


def test_ticks() -> None:
    """A period makes ticks, as simulated time goes by."""
    texts = Texts()
    made = module(
        texts,
        on_configure=call("set_tick_period_milliseconds", 100),
        on_tick=call("log", 2, texts("tick")),
    )
    loaded = Filter.load(made)
    loaded.sleep(0.35)
    assert _messages(loaded) == ["tick"] * 3


def test_queue() -> None:
    """Who registered a queue is told of a message and takes it."""
    texts = Texts()
    made = module(
        texts,
        on_configure=call("register_shared_queue", texts("q"), 64),
        on_request_headers=call("enqueue_shared_queue", 1, texts("job")),
        on_queue_ready=call("dequeue_shared_queue", "(local.get $1)", GIVE) + SAY,
    )
    loaded = Filter.load(made)
    loaded.request()
    assert _messages(loaded) == ["job"]


def test_endless_queue() -> None:
    """A message that causes a message that causes a message comes to an end."""
    texts = Texts()
    again = call("dequeue_shared_queue", 1, GIVE) + call("enqueue_shared_queue", 1, texts("again"))
    made = module(
        texts,
        on_configure=call("register_shared_queue", texts("q"), 64),
        on_request_headers=call("enqueue_shared_queue", 1, texts("first")),
        on_queue_ready=again,
    )
    assert Filter.load(made).request().status == 200


def test_endless_calls() -> None:
    """So does a call that causes a call."""
    texts = Texts()
    ask = _http_call(texts)
    made = module(texts, globals_=KEEP, on_request_headers=ask, on_http_call_response=ask)
    assert Filter.load(made, upstreams={"side": answer()}).request().status == 200


def test_shared_data_is_compared_and_swapped() -> None:
    """A value is set only with its version, or with none."""
    texts = Texts()
    made = module(
        texts,
        on_request_headers=call("set_shared_data", texts("k"), texts("first"), 0)
        + call("set_shared_data", texts("k"), texts("wrong"), 77)
        + call("get_shared_data", texts("k"), GIVE, 64)
        + SAY
        + call("set_shared_data", texts("k"), texts("second"), "(i32.load (i32.const 64))")
        + call("get_shared_data", texts("k"), GIVE, 64)
        + SAY,
    )
    loaded = Filter.load(made)
    loaded.request()
    assert _messages(loaded) == ["first", "second"]


def test_metrics() -> None:
    """Counters grow, gauges are set, histograms take values."""
    text = """(import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
      (import "env" "proxy_increment_metric" (func $add (param i32 i64) (result i32)))
      (import "env" "proxy_record_metric" (func $record (param i32 i64) (result i32)))"""
    counts = "".join(
        f"(drop (call $define (i32.const {kind}) (i32.const {16 + kind}) (i32.const 1) (i32.const 8)))"
        f"(drop (call ${how} (i32.load (i32.const 8)) (i64.const {value})))"
        for kind, how, value in ((0, "add", 5), (1, "record", 7), (2, "record", 9), (0, "add", -1))
    )
    from harness.sim import vm

    made = vm.assemble(
        f'(module {text} (memory (export "memory") 1) (data (i32.const 16) "cgh")'
        '(func (export "proxy_abi_version_0_2_1")) (func (export "malloc") (param i32) (result i32) (i32.const 99))'
        f'(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {counts} (i32.const 0)))'
    )
    loaded = Filter.load(made)
    loaded.request()
    loaded.request()
    assert loaded.metrics == {"c": 10, "g": 7, "h": {"count": 2, "sum": 18}}


def test_properties() -> None:
    """A stream's properties can be read, and set ones read again."""
    texts = Texts()
    asked = ["request\0path", "request\0headers\0x-user", "plugin_root_id", "mine", "request\0query"]
    code = call("set_property", texts("mine"), texts("kept"))
    code += "".join(call("get_property", texts(name), GIVE) + SAY for name in asked)
    loaded = Filter.load(module(texts, on_request_headers=code), root_id="root")
    loaded.request(path="/a?b=1", headers={"X-User": "ada"})
    assert _messages(loaded) == ["/a?b=1", "ada", "root", "kept", "b=1"]


def test_foreign_functions() -> None:
    """What is compressed can be uncompressed again."""
    texts = Texts()
    code = call("call_foreign_function", texts("compress"), texts("text " * 20), GIVE)
    code += call(
        "call_foreign_function",
        texts("uncompress"),
        "(i32.load (i32.const 8))",
        "(i32.load (i32.const 12))",
        GIVE,
    )
    loaded = Filter.load(module(texts, on_request_headers=code + SAY))
    loaded.request()
    assert _messages(loaded) == ["text " * 20]


def test_expressions() -> None:
    """An expression is made once and evaluated in a stream."""
    texts = Texts()
    made = call("call_foreign_function", texts("expr_create"), texts("request.path + '!'"), 64, 68)
    asked = call("call_foreign_function", texts("expr_evaluate"), "(i32.load (i32.const 64))", 4, GIVE) + SAY
    loaded = Filter.load(module(texts, on_configure=made, on_request_headers=asked))
    loaded.request(path="/a")
    assert _messages(loaded) == ["/a!"]


def test_environment() -> None:
    """A module reads its environment through WASI."""
    from harness.sim import vm

    made = vm.assemble(
        """(module (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
        (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32))) (memory (export "memory") 1)
        (func (export "proxy_abi_version_0_2_1")) (func (export "malloc") (param i32) (result i32) (i32.const 99))
        (func (export "_initialize") (drop (call $get (i32.const 8) (i32.const 64)))
          (drop (call $log (i32.const 2) (i32.load (i32.const 8)) (i32.const 3)))))"""
    )
    assert [line.message for line in Filter.load(made, environment={"A": "1"}).logs] == ["A=1"]


def test_trace() -> None:
    """Each call is a line: texts are read from memory, numbers are named."""
    texts = Texts()
    lines: list[str] = []
    made = module(texts, on_request_headers=call("log", 2, texts("hi")) + call("log", 9, texts("")))
    Filter.load(made, trace=lines.append).request()
    assert lines == [
        "proxy_on_request_headers(2, 6, 1)",
        '  proxy_log(INFO, "hi") -> OK',
        '  proxy_log(9, "") -> BAD_ARGUMENT',
    ]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("127.0.0.1", b"\x01\0\0\0\0\0\0\x00127.0.0.1:0\0"),
        ("localhost", b"\x01\0\0\0\0\0\0\0[::1]:0\0"),
        ("absent.example", bytes(4)),
    ],
)
def test_dns(name: str, found: bytes) -> None:
    """Addresses are answered at once; of names nothing is known, which is told later."""
    texts = Texts()
    asks = call("envoy_resolve_dns", texts(name), 96) + call("log", 2, texts("asked"))
    heard = call("get_buffer_bytes", 8, 0, 100, GIVE) + SAY
    body = f'(func (export "envoy_on_resolve_dns") (param i32 i32 i32) {heard})'
    loaded = Filter.load(module(texts, globals_=body, on_request_headers=asks))
    loaded.request()
    loaded.sleep(1)
    told = found.decode("latin-1")
    assert _messages(loaded) == ([told, "asked"] if len(found) > 4 else ["asked", told])
