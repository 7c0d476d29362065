"""The dry run stays inside its limits and keeps runs apart, whatever a module does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autowasm.abi import dryrun, outcome
from harness.samples import Samples
from harness.sim import vm

SAMPLES = Samples(Path(__file__).parents[3] / "wasm_samples")
SMALL = outcome.Budget(fuel=1_000_000, calls=1_000, memory=1 << 20)
NONE = outcome.Configuration()
LOG = '(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))'


def _program(imports: str, body: str) -> dryrun.Program:
    module = vm.assemble(
        f'(module {imports} (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))'
        f'(func (export "malloc") (param i32) (result i32) (i32.const 1024)) {body})'
    )
    return dryrun.Program(module, "0.2.1")


def _rule(found: outcome.Outcome) -> str:
    return found.fault.rule if found.fault is not None else ""


def test_a_loop_ends() -> None:
    """An endless loop ends when its instructions are used up."""
    program = dryrun.Program(SAMPLES.module("bad/start-loops"), "0.2.1")
    assert _rule(program.run(NONE, SMALL)) == "out-of-fuel"


def test_a_loop_of_host_calls_ends() -> None:
    """A loop that spends its time in the host ends when its calls are used up."""
    loop = "(loop $l (drop (call $log (i32.const 2) (i32.const 0) (i32.const 4))) (br $l))"
    found = _program(LOG, f'(func (export "_initialize") {loop})').run(NONE, SMALL)
    assert _rule(found) == "out-of-fuel"
    assert found.fault is not None
    assert "1000 calls" in found.fault.message


def test_memory_ends() -> None:
    """A module that takes memory without end gets no more than the budget says."""
    found = dryrun.Program(SAMPLES.module("bad/grows-without-end"), "0.2.1").run(NONE, SMALL)
    assert _rule(found) == "start-trap"  # 256 pages at a time: the first step was already too much
    found = dryrun.Program(SAMPLES.module("bad/grows-without-end"), "0.2.1").run(
        NONE, outcome.Budget(memory=64 << 20)
    )
    assert _rule(found) == "out-of-memory"


def test_logs_are_bounded() -> None:
    """A module that logs a lot leaves the last lines, each of them short."""
    body = """(func (export "proxy_on_vm_start") (param i32 i32) (result i32) (local $i i32)
      (loop $l
        (drop (call $log (i32.const 2) (i32.const 0) (i32.const 60000)))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100))))
      (i32.const 1))"""
    found = _program(LOG, body).run(NONE, SMALL)
    assert found.fault is None
    assert len(found.logs) == 20
    assert max(map(len, found.logs)) <= 400


@pytest.mark.parametrize("pointer", [0, 65_535, 65_536, -1, -2_147_483_648])
def test_pointers_outside_are_answered(pointer: int) -> None:
    """A host call with a range outside of the memory is answered and harms nobody."""
    get = '(import "env" "proxy_get_buffer_bytes" (func $get (param i32 i32 i32 i32 i32) (result i32)))'
    body = f"""(func (export "proxy_on_configure") (param i32 i32) (result i32)
      (i32.eq (i32.const {0 if pointer == 0 else 6})
        (call $get (i32.const 7) (i32.const 0) (i32.const -1) (i32.const {pointer}) (i32.const 8))))"""
    found = _program(get, body).run(outcome.Configuration(plugin=b"c"), SMALL)
    assert found.fault is None


def test_allocator_that_traps() -> None:
    """An allocator that traps when the host asks for memory ends the run as that trap."""
    module = vm.assemble("""(module
      (import "env" "proxy_get_buffer_bytes" (func $get (param i32 i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
      (func (export "malloc") (param i32) (result i32) (unreachable))
      (func (export "proxy_on_configure") (param i32 i32) (result i32)
        (i32.eqz (call $get (i32.const 7) (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 12)))))""")
    found = dryrun.Program(module, "0.2.1").run(outcome.Configuration(plugin=b"c"), SMALL)
    assert _rule(found) == "configure-trap"


def test_allocator_may_not_call_the_proxy() -> None:
    """While the host asks for memory, a module may log and hardly more."""
    module = vm.assemble("""(module
      (import "env" "proxy_get_buffer_bytes" (func $get (param i32 i32 i32 i32 i32) (result i32)))
      (import "env" "proxy_get_log_level" (func $level (param i32) (result i32)))
      (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
      (func (export "malloc") (param i32) (result i32) (drop (call $level (i32.const 0))) (i32.const 1024))
      (func (export "proxy_on_configure") (param i32 i32) (result i32)
        (i32.eqz (call $get (i32.const 7) (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 12)))))""")
    found = dryrun.Program(module, "0.2.1").run(outcome.Configuration(plugin=b"c"), SMALL)
    assert _rule(found) == "start-restricted-call"


def test_runs_are_alike() -> None:
    """Clock and random bytes are the same in each run, so a verdict is too."""
    imports = (
        LOG + '(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))'
    )
    body = """(func (export "proxy_on_vm_start") (param i32 i32) (result i32)
      (drop (call $random (i32.const 0) (i32.const 16)))
      (drop (call $log (i32.const 2) (i32.const 0) (i32.const 16))) (i32.const 1))"""
    program = _program(imports, body)
    first = program.run(NONE, SMALL)
    assert first.logs != ("info: " + "\0" * 16,)
    assert program.run(NONE, SMALL) == first


def test_runs_in_threads_do_not_meet() -> None:
    """Runs at the same time, good, refusing, trapping and looping ones, each end with their own outcome."""
    names = [
        "good/hello-v1",
        "bad/vm-start-refuses",
        "bad/start-traps",
        "bad/start-calls-restricted",
        "bad/start-loops",
    ]
    programs = [dryrun.Program(SAMPLES.module(name), "0.2.1") for name in names]
    alone = [program.run(NONE, SMALL) for program in programs]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda i: programs[i % 5].run(NONE, SMALL), range(400)))
    assert all(found == alone[i % 5] for i, found in enumerate(together))


def test_invalid_code_is_refused() -> None:
    """A body that breaks validation is refused before anything runs."""
    with pytest.raises(dryrun.Invalid, match="type mismatch"):
        dryrun.Program(SAMPLES.module("bad/invalid-body"), "0.2.1")
