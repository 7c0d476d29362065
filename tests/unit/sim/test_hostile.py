"""Whatever a module does, the host answers or ends with a verdict: any call with any arguments, any bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autowasm.abi import tables
from harness.sim import batch, vm

NUMBERS = st.one_of(st.integers(0, 40), st.sampled_from([0x1000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF]))
# Modules with an exported memory and a marker of each ABI that import one function.
NAMES = sorted(tables.HOST_FUNCTIONS)
ASKED = {
    "clusters": {"app": [{"body": ["ok"]}], "": [{}]},
    "requests": [{"method": "POST", "body": ["a", "b"], "trailers": [["t", "1"]]}, {}],
    "client_timeout_ms": 50,
}
CALLBACKS = {
    "proxy_on_request_headers": "(param i32 i32 i32) (result i32)",
    "proxy_on_request_body": "(param i32 i32 i32) (result i32)",
    "proxy_on_response_headers": "(param i32 i32 i32) (result i32)",
    "proxy_on_response_trailers": "(param i32 i32) (result i32)",
    "proxy_on_http_call_response": "(param i32 i32 i32 i32 i32)",
    "proxy_on_log": "(param i32)",
    "proxy_on_done": "(param i32) (result i32)",
}


def _calling(name: str, callback: str, arguments: list[int]) -> bytes:
    """A module that calls a function in a callback, which answers what it got."""
    offered = tables.HOST_FUNCTIONS[name]
    kinds, _, result = offered.signature.partition(" -> ")
    widths = [kind for kind in kinds.strip("()").split(", ") if kind]
    values = " ".join(f"({kind}.const {value})" for kind, value in zip(widths, arguments, strict=False))
    module, function = name.split(".", 1)
    signature = (
        CALLBACKS[callback]
        if offered.abis[-1] != "0.1.0"
        else CALLBACKS[callback].replace(" i32 i32 i32)", " i32 i32)")
    )
    called = f"(call $f {values})" if result != "()" else f"(call $f {values}) (i32.const 0)"
    body = (
        called if "result" in signature else f"(drop {called})" if result != "()" else f"(call $f {values})"
    )
    returned = f"(result {result})" if result != "()" else ""
    return vm.assemble(
        f"""(module (import "{module}" "{function}" (func $f (param {" ".join(widths)}) {returned}))
        (memory (export "memory") 1) (func (export "proxy_abi_version_{offered.abis[-1].replace(".", "_")}"))
        (func (export "malloc") (param i32) (result i32) (i32.const 0x8000))
        (func (export "{callback}") {signature} {body}))"""
    )


@pytest.mark.parametrize("callback", sorted(CALLBACKS))
@given(name=st.sampled_from(NAMES), arguments=st.lists(NUMBERS, min_size=12, max_size=12))
@settings(max_examples=120, deadline=None)
def test_any_call(callback: str, name: str, arguments: list[int]) -> None:
    """Any host function with any arguments, in any callback, leaves every request with an outcome."""
    answer = batch.run(_calling(name, callback, arguments), ASKED)
    outcomes = {result["outcome"] for result in answer["results"]}
    assert outcomes <= {"response", "timeout", "reset", "closed", "ended"}
    assert ("ended" in outcomes) == bool(answer["ended"])


@given(st.binary(max_size=200), st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_bytes(data: bytes, magic: bool) -> None:
    """Bytes that are no module are not loaded, and their requests answered 503."""
    answer = batch.run((b"\0asm\1\0\0\0" if magic else b"") + data, {"requests": [{}]})
    assert not answer["loaded"]
    assert answer["results"][0]["status"] == 503


def test_memory_runaway() -> None:
    """A module that takes ever more memory ends with a verdict."""
    grows = vm.assemble(
        """(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 0))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (loop $more (br_if $more (i32.ne (memory.grow (i32.const 4096)) (i32.const -1)))) (unreachable)))"""
    )
    assert batch.run(grows, {"requests": [{}]})["results"][0]["status"] == 503
