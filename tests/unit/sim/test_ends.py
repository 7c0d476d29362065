"""What ends a whole Envoy is told as that, and nothing runs on. Each claim was measured on Envoy 1.36 and 1.40."""

from __future__ import annotations

from typing import Any

import pytest

from harness.sim import Filter, NotLoaded, answer, batch, vm
from tests.unit.sim.modules import Texts, call, module

ANSWER = "send_local_response", 403
CLOSE = "close_stream", 0
GO_ON = "continue_stream", 1
UNNAMED = "grpc_stream", 0
ASKED: dict[str, Any] = {
    "clusters": {"app": [{"body": ["ok"], "trailers": [["x-sum", "1"]]}]},
    "requests": [{"method": "POST", "body": ["a"], "trailers": [["t", "1"]]}, {}],
}


def _call(name: str, first: int) -> str:
    rest = {"send_local_response": [0] * 6 + [-1], "grpc_stream": [0] * 7 + [64]}.get(name, [])
    return call(name, first, *rest)


def _run(callback: str, of: tuple[str, int], answers: str = "") -> dict[str, Any]:
    made = module(Texts(), **{callback: _call(*of) + answers})
    return batch.run(made, ASKED)


@pytest.mark.parametrize(
    ("callback", "of"),
    [
        ("on_log", ANSWER),
        ("on_done", ANSWER),
        ("on_delete", ANSWER),
        ("on_context_create", CLOSE),
        ("on_response_trailers", CLOSE),
        ("on_log", CLOSE),
        ("on_done", CLOSE),
        ("on_delete", CLOSE),
        ("on_context_create", GO_ON),
        ("on_request_headers", GO_ON),
        ("on_request_body", GO_ON),
        ("on_request_trailers", GO_ON),
        ("on_response_trailers", GO_ON),
        ("on_request_headers", UNNAMED),
        ("on_log", UNNAMED),
    ],
)
def test_a_call_that_ends_envoy(callback: str, of: tuple[str, int]) -> None:
    """The request at that time has ended with Envoy, and so has all behind it; the answer says why."""
    answer = _run(callback, of)
    assert answer["loaded"]
    assert [result["outcome"] for result in answer["results"]] == ["ended", "ended"]
    assert answer["ended"].startswith("SIGABRT: " if of is UNNAMED else "SIGSEGV: ")
    assert f"proxy_{of[0]}" in answer["ended"] or of is UNNAMED


@pytest.mark.parametrize(
    ("callback", "of", "answers"),
    [
        ("on_request_headers", ANSWER, ""),
        ("on_context_create", ANSWER, ""),
        ("on_response_headers", CLOSE, ""),
        ("on_response_trailers", CLOSE, "(i32.const 1) ;;answers"),
        ("on_response_trailers", GO_ON, "(i32.const 1) ;;answers"),
        ("on_log", GO_ON, ""),
    ],
)
def test_a_call_that_does_not(callback: str, of: tuple[str, int], answers: str) -> None:
    """The same calls where Envoy survives them."""
    assert _run(callback, of, answers)["ended"] is None


@pytest.mark.parametrize("callback", ["on_vm_start", "on_configure"])
def test_an_end_while_it_is_loaded(callback: str) -> None:
    """A module that ends Envoy at its start is not loaded, and nothing is answered."""
    answer = _run(callback, UNNAMED)
    assert (answer["loaded"], answer["results"][0]["outcome"]) == (False, "ended")
    assert answer["error"] == answer["ended"]
    with pytest.raises(NotLoaded, match="must name its target"):
        Filter.load(module(Texts(), **{callback: _call(*UNNAMED)}))


def test_an_end_in_a_test_of_a_filter() -> None:
    """The Python API tells it, too, and a filter that has ended Envoy stays ended."""
    loaded = Filter.load(module(Texts(), on_log=_call(*ANSWER)))
    assert [loaded.request().outcome, loaded.request().outcome] == ["ended", "ended"]
    assert (
        loaded.failure
        == "SIGSEGV: Envoy ends itself: proxy_send_local_response: a stream must not be at its end"
    )
    loaded.sleep(1)


def test_an_answer_that_nobody_hears() -> None:
    """Without a callback for answers, looking at one in the next callback ends Envoy; behind that it is gone."""
    texts = Texts()
    headers = texts.pairs((":method", "GET"), (":path", "/"), (":authority", "side"))
    asks = call("http_call", texts("side"), headers, texts(""), texts(""), 1000, 64)
    looks = call("get_buffer_bytes", 4, 0, 9, 8, 12)
    for heard, outcome in (({}, "ended"), ({"on_http_call_response": ""}, "response")):
        made = module(texts, on_request_headers=asks, on_response_headers=looks, **heard)
        slow = {"side": answer(), "app": answer(delay=0.1)}
        assert Filter.load(made, upstreams=slow).request().outcome == outcome
    later = module(texts, on_request_headers=asks, on_response_headers="", on_response_body=looks)
    assert Filter.load(later, upstreams=slow).request().outcome == "response"


def test_an_end_at_a_tick() -> None:
    """Envoy ends between two requests as well."""
    ticks = call("set_tick_period_milliseconds", 100)
    loaded = Filter.load(module(Texts(), on_configure=ticks, on_tick=_call(*UNNAMED)))
    assert loaded.request().outcome == "response"
    loaded.sleep(1)
    assert loaded.request().outcome == "ended"


@pytest.mark.parametrize(
    "text",
    [
        '(func (export "sum") (param v128))',
        '(func (export "sum") (result (ref func)) (unreachable))',
        (
            "(type $s (struct (field i8) (field (mut i32)))) (type $a (array v128))"
            ' (func (export "sum") (param (ref $s)))'
        ),
        '(tag (export "oops") (param i32))',
        '(func $f (import "env" "proxy_log") (param v128))',
        (
            '(memory (import "a" "m") 1 2) (table (import "a" "t") 1 funcref)'
            ' (func $f (import "env" "f") (param externref v128))'
        ),
    ],
)
def test_types_that_end_envoy(text: str) -> None:
    """Imports and exports of types that Envoy's engine cannot name end it; here they do not end the simulator."""
    made = vm.assemble(
        f"""(module {text} (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 99)))"""
    )
    answer = batch.run(made, ASKED)
    assert answer["ended"] == answer["error"]
    assert answer["ended"].startswith("SIGTRAP: Envoy ends itself: ")


def test_types_that_do_not() -> None:
    """Vectors inside of a module, and references that its engine knows, end nothing."""
    made = vm.assemble(
        """(module (rec (type $s (sub (struct (field i8)))) (type $t (sub final $s (struct (field i8)))))
        (func $inner (param v128)) (func (export "sum") (param externref funcref f32 f64 i64))
        (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 99)))"""
    )
    assert batch.run(made, ASKED)["loaded"]
