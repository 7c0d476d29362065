"""The simulator beside a real Envoy, on modules that look at what they are shown: the same lines, the same messages."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.fidelity import compare, real
from harness.sim import batch
from harness.sim.outgoing import frame
from harness.toolchain import binaries
from harness.toolchain.lacking import Lacking
from tests.unit.sim.modules import GIVE, SAY, Texts, call, module

pytestmark = pytest.mark.programs

PAUSE = "(i32.const 1) ;;answers"
KEEP = "(global $stream (mut i32) (i32.const 0))"
LATE = 40
"""Milliseconds after which a call is answered, when all else is over: so that nothing depends on who is quicker."""


def _frame(text: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(frame(text)).decode()}


CLUSTERS: dict[str, list[dict[str, Any]]] = {
    "app": [
        {"match": {"path_prefix": "/trailers"}, "body": ["one", "two"], "trailers": [["x-t", "1"]]},
        {"match": {"path_prefix": "/sized"}, "headers": [["content-length", "5"]], "body": ["hello"]},
        {"match": {"path_prefix": "/none"}, "status": 204},
        {"headers": [["X-Up", "1"], ["X-Up", "2"], ["Vary", "a"], ["vary", "b"]], "body": ["hello"]},
    ],
    "side": [{"delay_ms": LATE, "status": 201, "headers": [["x-side", "1"]], "body": ["si", "de"]}],
    "grpc": [
        {
            "match": {"path_prefix": "/s/fine"},
            "delay_ms": LATE,
            "body": [_frame(b"pong")],
            "trailers": [["grpc-status", "0"]],
        },
        {
            "match": {"path_prefix": "/s/fails"},
            "delay_ms": LATE,
            "trailers": [["grpc-status", "7"], ["grpc-message", "no"]],
        },
        {"delay_ms": LATE, "status": 503, "body": ["busy"]},
    ],
}
FIXED = [
    ["x-request-id", "fixed"],
    ["X-A", "1"],
    ["x-a", "2"],
    ["Accept", "a"],
    ["accept", "b"],
    ["Cookie", "c=1"],
    ["cookie", "d=2"],
]
REQUESTS: list[dict[str, Any]] = [
    {"name": "get", "path": "/a?b=1", "headers": FIXED},
    {
        "name": "post",
        "method": "POST",
        "path": "/trailers",
        "headers": FIXED,
        "body": ["ab", "cd"],
        "trailers": [["X-T", "1"]],
    },
    {"name": "head", "method": "HEAD", "path": "/sized", "headers": FIXED},
    {
        "name": "put",
        "method": "PUT",
        "path": "/none",
        "headers": [*FIXED, ["content-length", "4"]],
        "body": ["ab", "cd"],
    },
]


def _map(kind: int) -> str:
    return call("get_header_map_pairs", kind, GIVE) + SAY


def _streams(texts: Texts, result: int = 0, **more: str) -> bytes:
    """Shows what it sees in each callback; answers so to parts of bodies."""
    last = f"(select (i32.const 0) (i32.const {result}) (local.get $2)) ;;answers"
    seen = {
        "on_context_create": call("log", 2, texts("create")),
        "on_request_headers": _map(0),
        "on_request_body": call("get_buffer_bytes", 0, 0, 1000, GIVE) + SAY + last,
        "on_request_trailers": _map(1),
        "on_response_headers": call("remove_header_map_value", 2, texts("x-envoy-upstream-service-time"))
        + _map(2),
        "on_response_body": call("get_buffer_bytes", 1, 0, 1000, GIVE) + SAY + last,
        "on_response_trailers": _map(3),
        "on_log": call("log", 2, texts("log")) + call("get_header_map_value", 0, texts(":path"), GIVE) + SAY,
        "on_done": call("log", 2, texts("done")),
        "on_delete": call("log", 2, texts("delete")),
    }
    return module(texts, globals_=KEEP, **(seen | more))


def _answering(texts: Texts, callback: str) -> bytes:
    """Answers by itself in a callback."""
    own = texts.pairs(("X-L", "1"), ("content-type", "a/b"), ("content-length", "99"), ("x-l", "2"))
    return _streams(
        texts, **{callback: call("send_local_response", 403, texts("why not"), texts("no"), own, -1)}
    )


def _waiting(texts: Texts) -> bytes:
    """Holds a request until a call is answered, and shows the answer."""
    headers = texts.pairs((":method", "POST"), (":path", "/x"), (":authority", "side"), ("X-Q", "1"))
    ask = "(global.set $stream (local.get $0))"
    ask += call("http_call", texts("side"), headers, texts("question"), texts(""), 1000, 64) + PAUSE
    heard = call("get_header_map_value", 6, texts("x-side"), GIVE) + SAY
    heard += call("get_buffer_bytes", 4, 0, 1000, GIVE) + SAY
    heard += (
        call("set_effective_context", "(global.get $stream)") + _map(0) + call("continue_stream", 0) + _map(0)
    )
    return _streams(texts, on_request_headers=ask, on_http_call_response=heard)


def _grpc(texts: Texts, method: str) -> bytes:
    """Makes a gRPC call, and shows how it ended."""
    ask = call(
        "grpc_call",
        texts("grpc"),
        texts("s"),
        texts(method),
        texts.pairs(("x-m", "1")),
        texts("ping"),
        900,
        64,
    )
    ended = call("get_status", 72, GIVE) + SAY
    got = call("get_buffer_bytes", 5, 0, 100, GIVE) + SAY
    return module(texts, on_request_headers=ask, on_grpc_receive=got + ended, on_grpc_close=ended)


_NAMES = """request.path request.url_path request.query request.host request.method request.protocol request.size
request.headers.x-a request.useragent response.code response.code_details response.flags response.headers.x-up
response.grpc_status plugin_name plugin_root_id plugin_vm_id connection.mtls xds.node.id xds.cluster_name xds.route_name
xds.listener_direction upstream.transport_failure_reason filter_state metadata nosuch mine"""
PROPERTIES = _NAMES.split()


def _asking(texts: Texts, callback: str) -> bytes:
    """Sets a property, and asks for many."""
    code = call("set_property", texts("mine"), texts("kept"))
    for name in PROPERTIES:
        empty = "(i32.store (i32.const 8) (i32.const 0)) (i32.store (i32.const 12) (i32.const 0))"
        code += empty + call("get_property", texts(name.replace(".", "\0")), GIVE) + SAY
    return module(texts, **{callback: code})


EXPRESSIONS = (
    "request.path == '/a?b=1'",
    "1 + 2 * 3",
    "has(request.headers.no)",
    "nosuch || true",
    "1 +",
    "1 == 1.0",
)


def _reckoning(texts: Texts) -> bytes:
    """Makes expressions, and evaluates them."""
    code = ""
    for text in EXPRESSIONS:
        code += "(i32.store (i32.const 64) (i32.const 0)) (i32.store (i32.const 12) (i32.const 0))"
        code += call("call_foreign_function", texts("expr_create"), texts(text), 64, 68)
        asked = (
            call("call_foreign_function", texts("expr_evaluate"), "(i32.load (i32.const 64))", 4, GIVE) + SAY
        )
        code += f"(if (i32.load (i32.const 64)) (then {asked}))"
    return module(texts, on_request_headers=code)


Make = Callable[[Texts], bytes]
MODULES: Mapping[str, Make] = {
    **{f"body {result}": lambda texts, result=result: _streams(texts, result) for result in range(4)},
    "pause at the headers": lambda texts: _streams(texts, on_request_headers=_map(0) + PAUSE),
    "pause at the response's headers": lambda texts: _streams(texts, on_response_headers=PAUSE),
    **{
        f"answer in {callback}": lambda texts, callback=callback: _answering(texts, callback)
        for callback in ("on_request_headers", "on_request_body", "on_request_trailers", "on_response_headers")
    },
    "closed": lambda texts: _streams(texts, on_request_headers=call("close_stream", 0)),
    "trap": lambda texts: _streams(texts, on_response_headers="(unreachable)"),
    "call": _waiting,
    **{f"gRPC {method}": lambda texts, method=method: _grpc(texts, method) for method in ("fine", "fails", "busy")},
    **{
        f"properties in {callback}": lambda texts, callback=callback: _asking(texts, callback)
        for callback in ("on_configure", "on_request_headers", "on_response_headers", "on_log")
    },
    "expressions": _reckoning,
}  # fmt: skip


@pytest.fixture(scope="module")
def envoy() -> Path:
    """A real Envoy."""
    try:
        return binaries.ensure(["envoy"], lambda _: None).path("envoy")
    except Lacking as lacking:
        pytest.skip(str(lacking))


@pytest.mark.parametrize("name", sorted(MODULES))
def test_as_envoy(name: str, envoy: Path) -> None:
    """Nothing that can be seen from inside or outside differs."""
    made = MODULES[name](Texts())
    plugin = {"name": "filter", "root_id": "root", "vm_id": "vm", "failure_policy": "FAIL_RELOAD"}
    script = {"plugin": plugin, "clusters": CLUSTERS, "route": {"name": "way", "cluster": "app"}}
    script |= {
        "node": {"id": "node", "cluster": "c", "metadata": {}},
        "client_timeout_ms": 400,
        "requests": REQUESTS,
    }
    found = compare.answers(name, batch.run(made, script), real.run(made, script, envoy))
    assert found.differences == []
    assert found.comparisons > 20
