"""The check finds in every sample what it is there for, and says it as programs and people need it."""

from __future__ import annotations

import contextlib
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autowasm import limits
from autowasm.abi import check, outcome
from autowasm.digest import Digest
from harness.samples import Samples
from harness.sim import vm

ROOT = Path(__file__).parents[3] / "wasm_samples"
SAMPLES = Samples(ROOT)
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((ROOT / "samples.toml").read_text("utf-8"))
BUDGET = outcome.Budget(fuel=20_000_000)
NONE = check.Configuration()


def _check(name: str) -> check.Report:
    entry = EXPECTED[name]
    configuration = check.Configuration(
        vm=entry.get("vm", "").encode(), plugin=entry.get("plugin", "").encode()
    )
    return check.check(SAMPLES.module(name), configuration, budget=BUDGET)


def _module(text: str, export: str = "") -> bytes:
    return vm.assemble(
        f'(module {text} (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))'
        f'(func (export "malloc") (param i32) (result i32) (i32.const 1024)) {export})'
    )


def test_every_sample_is_described() -> None:
    """A sample without an entry in samples.toml, or an entry without its sample, is forgotten work."""
    assert sorted(EXPECTED) == SAMPLES.names()


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_sample(name: str) -> None:
    """A sample has exactly the findings that samples.toml promises, in that order, and its ABI."""
    report = _check(name)
    assert [(f.rule, f.level) for f in report.findings] == list(EXPECTED[name]["findings"].items())
    assert report.ok == name.startswith("good/")
    assert (report.abi or "") == EXPECTED[name].get("abi", "")


@pytest.mark.parametrize("name", sorted(n for n in EXPECTED if n.startswith("bad/")))
def test_findings_follow_the_rules_of_messages(name: str) -> None:
    """A message begins in lower case with its thing and ends without a full stop; a remedy is a sentence."""
    for finding in _check(name).findings:
        assert ": " in finding.message or " must " in finding.message
        assert not finding.message.endswith(".")
        assert finding.where
        assert not finding.remedy or finding.remedy[0].isupper()


def test_json_is_the_documented_shape() -> None:
    """The JSON of a report has the keys that programs rely on."""
    module = SAMPLES.module("bad/missing-import")
    assert check.check(module, NONE).to_json("f.wasm") == {
        "file": "f.wasm",
        "sha256": Digest.of(module).hex,
        "size": len(module),
        "abi": "0.2.1",
        "sdk": "assemblyscript",
        "ok": False,
        "target": {"envoy": "1.40"},
        "findings": [
            {
                "rule": "missing-import",
                "level": "error",
                "message": "import env.abort: no Proxy-Wasm host has it",
                "where": "import env.abort, offset 29",
                "envoy_says": "Failed to load Wasm module due to a missing import: env.abort",
                "remedy": "Compile with: --use abort=abort_proc_exit",
            }
        ],
    }


def test_all_findings_at_once() -> None:
    """One fault does not hide the next, and the worst comes first."""
    module = vm.assemble(
        '(module (import "env" "abort" (func (param i32 i32 i32 i32))) (import "env" "g" (global i32))'
        '(func (export "proxy_abi_version_0_2_1")) (func (export "proxy_on_tick")))'
    )
    report = check.check(module, NONE)
    assert {f.rule for f in report.findings} == {
        "missing-import",
        "global-import",
        "memory",
        "allocator",
        "callback-type",
    }
    worst = report.worst()
    assert worst is not None
    assert worst.level == "error"


def test_an_older_envoy_has_fewer_functions() -> None:
    """What came with a later Envoy is missing in an earlier one, and the message says since when."""
    module = _module('(import "wasi_snapshot_preview1" "fd_sync" (func (param i32) (result i32)))')
    assert check.check(module, NONE, envoy="1.40").ok
    finding = check.check(module, NONE, envoy="1.36.4").worst()
    assert finding is not None
    assert finding.rule == "missing-import"
    assert finding.message.endswith("Envoy has it since 1.39, the target is 1.36")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('(import "env" "t" (table 1 funcref))', []),
        ('(import "env" "t" (table 1 anyref))', ["host-type"]),
        ('(type $f (func)) (import "env" "t" (table 1 (ref null $f)))', ["host-type"]),
        ('(import "env" "t" (table 1 (ref func)))', ["table"]),
        ('(import "env" "t" (table i64 1 funcref))', ["table"]),
        ("(table 10000001 funcref)", ["table"]),
    ],
)
def test_tables(text: str, expected: list[str]) -> None:
    """A table that the host cannot make is found from the bytes: the engine here could not make it, either."""
    assert [finding.rule for finding in check.check(_module(text), NONE).findings] == expected


def test_without_a_configuration_nothing_runs() -> None:
    """A check without a configuration looks at the bytes alone."""
    assert check.check(SAMPLES.module("bad/start-traps"), None).ok


def test_vm_configuration_that_a_module_objects_to() -> None:
    """A module that starts only without a VM configuration is told to leave vmID empty."""
    module = SAMPLES.module("good/needs-empty-vm-config")
    finding = check.check(module, check.Configuration(vm=b'{"sha256":"00"}')).worst()
    assert finding is not None
    assert finding.rule == "vm-config-digest"
    assert finding.remedy.startswith("Leave vmID empty")
    assert check.check(module, NONE).ok


def test_refusal_of_any_vm_configuration_is_no_matter_of_the_digest() -> None:
    """A module that never starts is not told to leave vmID empty."""
    report = check.check(SAMPLES.module("bad/vm-start-refuses"), check.Configuration(vm=b"x"))
    assert [f.rule for f in report.findings] == ["vm-start-refused"]


def test_what_a_module_logged_is_shown() -> None:
    """A refusal comes with the last log lines of the module, which say why."""
    finding = check.check(SAMPLES.module("bad/vm-start-refuses"), NONE).worst()
    assert finding is not None
    assert "I will not start" in finding.message


def test_what_was_asked_of_a_proxy_is_shown() -> None:
    """A refusal after a question that only a proxy can answer says which it was."""
    module = _module(
        '(import "env" "proxy_get_property" (func $get (param i32 i32 i32 i32) (result i32)))',
        '(data (i32.const 0) "node\\00metadata")'
        '(func (export "proxy_on_configure") (param i32 i32) (result i32)'
        "(i32.eqz (call $get (i32.const 0) (i32.const 13) (i32.const 64) (i32.const 68))))",
    )
    finding = check.check(module, NONE).worst()
    assert finding is not None
    assert "proxy_get_property(node.metadata)" in finding.message


def test_size_beyond_envoys_buffer_is_a_warning() -> None:
    """A module that a sidecar's fetch cannot buffer is still a good module, with a warning."""
    padding = b"\x00" + _leb(limits.ENVOY_BUFFER_BYTES + 2) + b"\x01p" + bytes(limits.ENVOY_BUFFER_BYTES)
    report = check.check(SAMPLES.module("good/minimal") + padding, None)
    assert [(f.rule, f.level) for f in report.findings] == [("size", "warning")]
    assert report.ok


def _leb(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def test_memory_without_a_host_call_is_a_warning() -> None:
    """A module that calls nothing may do without a memory: Envoy loads it."""
    module = vm.assemble(
        '(module (func (export "proxy_abi_version_0_2_1"))'
        ' (func (export "malloc") (param i32) (result i32) (i32.const 0)))'
    )
    assert [(f.rule, f.level) for f in check.check(module, NONE).findings] == [("memory", "warning")]


@settings(max_examples=150)
@given(st.sampled_from([n for n in EXPECTED if n != "bad/start-loops"]), st.data())
def test_no_bytes_break_the_check(name: str, data: st.DataObject) -> None:
    """Mutated modules end in a report, whatever their code does."""
    changed = bytearray(SAMPLES.module(name))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(len(changed) - 1, 0)))
        changed[at : at + 1] = data.draw(st.binary(max_size=2))
    budget = outcome.Budget(fuel=100_000, calls=100, memory=16 << 20)
    report = check.check(bytes(changed), NONE, budget=budget)
    with contextlib.suppress(IndexError):
        assert report.ok == (report.findings[0].level != "error")
