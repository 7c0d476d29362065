"""Shared memories are ordinary ones to a VM of one thread; a wait for another thread is told, and not waited for."""

from __future__ import annotations

import pytest

from harness.sim import Filter, NotSimulated, batch, vm
from harness.sim.unshare import unshare

ATOMIC = "(drop (i32.atomic.rmw.add (i32.const 0) (i32.const 2)))"
WAIT = "(drop (memory.atomic.wait32 (i32.const 0) (i32.const {}) (i64.const {})))"
FOR_GOOD = WAIT.format(0, -1)


def _module(memory: str, request: str = "", start: str = "", more: str = "") -> bytes:
    return vm.assemble(
        f"""(module (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32))) {memory} {more}
        (func (export "proxy_abi_version_0_2_1")) (func (export "_initialize") {start})
        (func (export "malloc") (param i32) (result i32) (i32.const 1024))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {request}
          (i32.store8 (i32.const 64) (i32.add (i32.const 65) (i32.atomic.load (i32.const 0))))
          (drop (call $log (i32.const 2) (i32.const 64) (i32.const 1))) (i32.const 0)))"""
    )


EXPORTED = '(memory (export "memory") 1 1 shared)'
IMPORTED = (
    '(import "a" "t" (table 1 2 funcref)) (import "env" "proxy_done" (func (result i32)))'
    ' (import "a" "m" (memory 1 1 shared))'
)


@pytest.mark.parametrize("memory", [EXPORTED, IMPORTED, '(memory (export "memory") 1)'])
def test_runs(memory: str) -> None:
    """Atomic instructions do the same on a shared memory and on another one."""
    loaded = Filter.load(_module(memory, ATOMIC))
    assert [loaded.request().status, loaded.request().status] == [200, 200]
    assert [line.message for line in loaded.logs] == ["C", "E"]


@pytest.mark.parametrize("wait", [FOR_GOOD, WAIT.format(0, 1000), WAIT.format(5, -1)])
def test_a_wait_is_told(wait: str) -> None:
    """A wait on a shared memory ends at once, and says where it was."""
    loaded = Filter.load(_module(EXPORTED, wait))
    with pytest.raises(
        NotSimulated, match=r"memory\.atomic\.wait on a shared memory is not simulated.*function"
    ):
        loaded.request()


def test_a_wait_at_the_start() -> None:
    """Likewise in start code, and in a start section."""
    with pytest.raises(NotSimulated, match="not simulated"):
        Filter.load(_module(EXPORTED, start=FOR_GOOD))
    with pytest.raises(NotSimulated, match="not simulated"):
        batch.run(_module(EXPORTED, more=f"(func $s {FOR_GOOD}) (start $s)"), {"requests": [{}]})


def test_a_wait_on_an_ordinary_memory() -> None:
    """There it is a trap, in Envoy, too."""
    assert Filter.load(_module('(memory (export "memory") 1)', FOR_GOOD)).request().status == 503


def test_other_modules_stay_as_they_are() -> None:
    """A module without a shared memory is not touched, and neither are bytes that are none."""
    for data in (_module('(memory (export "memory") 1)'), b"", b"\0asm\1\0\0\0\5\3\1"):
        assert unshare(data) is data
