"""No bytes make a check long or large: hostile modules end in a report within a minute each, on any machine."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from autowasm import limits
from autowasm.abi import binary, check, outcome, reader
from harness.sim import vm

pytestmark = pytest.mark.timeout(60)

HEAD = binary.MAGIC + binary.VERSION
MIB = limits.MIB


def _leb(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _section(identifier: int, content: bytes) -> bytes:
    return bytes([identifier]) + _leb(len(content)) + content


def _vector(entries: list[bytes]) -> bytes:
    return _leb(len(entries)) + b"".join(entries)


def _exports(count: int) -> bytes:
    names = [b"proxy_on_%d" % number for number in range(count)]
    return HEAD + _section(7, _vector([bytes([len(name)]) + name + b"\0\0" for name in names]))


def _imports(count: int) -> bytes:
    names = [b"f%d" % number for number in range(count)]
    wanted = [b"\3env" + bytes([len(name)]) + name + b"\0\0" for name in names]
    return HEAD + _section(1, b"\1\x60\0\0") + _section(2, _vector(wanted))


MODULES: dict[str, Callable[[], bytes]] = {
    "custom sections": lambda: HEAD + b"\0\2\1x" * (8 * MIB),
    "types": lambda: HEAD + _section(1, _leb(900_000) + b"\x60\x10" * 900_000 + b"\x7f" * (16 * MIB)),
    "parameters": lambda: HEAD + _section(1, _vector([b"\x60" + _vector([b"\x7f"] * 1000) + b"\0"] * 30_000)),
    "exports": lambda: _exports(900_000),
    "imports": lambda: _imports(900_000),
    "an initialiser": lambda: HEAD + _section(6, b"\1\x7f\0\x41\0" + b"\x6a" * (24 * MIB)),
    "names": lambda: HEAD + _section(0, b"\4name" + b"\x09\0" * (12 * MIB)),
    "groups": lambda: HEAD + _section(1, _leb(1) + b"\x4e" * (16 * MIB)),
    "one section id": lambda: HEAD + b"\x0b" * (24 * MIB),
}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_large_and_hostile(name: str) -> None:
    """Megabytes of the smallest entries end in a report with few findings."""
    report = check.check(MODULES[name](), check.Configuration())
    assert not report.ok
    assert len(report.findings) < 500


def test_entries_are_counted_over_all_parts() -> None:
    """The number of entries is limited for the whole module, not for each vector."""
    most = b"\x60" + _vector([b"\x7f"] * 1000) + b"\0"
    module = HEAD + _section(1, _vector([most] * (reader.MOST_ENTRIES // 1000 + 1)))
    with pytest.raises(reader.Malformed, match="entries in all"):
        binary.parse(module)


def _looping(imports: str, body: str) -> bytes:
    return vm.assemble(
        f'(module {imports} (memory (export "memory") 32) (func (export "proxy_abi_version_0_2_1"))'
        '(func (export "malloc") (param i32) (result i32) (i32.const 65536))'
        f'(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local $i i32)'
        f" (loop $l {body} (local.set $i (i32.add (local.get $i) (i32.const 1)))"
        " (i32.store (i32.const 0) (local.get $i)) (br $l)) (i32.const 0)))"
    )


def _import(name: str, parameters: int, module: str = "env") -> str:
    return f'(import "{module}" "{name}" (func ${name} (param {"i32 " * parameters}) (result i32)))'


def _call(name: str, *arguments: int) -> str:
    return f"(drop (call ${name} {' '.join(f'(i32.const {a})' for a in arguments)}))"


LOOPS = {
    "headers": (
        _import("proxy_add_header_map_value", 5) + _import("proxy_get_header_map_pairs", 3),
        _call("proxy_add_header_map_value", 0, 0, 4, 0, 4) + _call("proxy_get_header_map_pairs", 0, 64, 68),
    ),
    "absent headers": (
        _import("proxy_add_header_map_value", 5) + _import("proxy_get_header_map_value", 5),
        _call("proxy_add_header_map_value", 0, 0, 4, 0, 4)
        + _call("proxy_get_header_map_value", 0, 9, 9, 64, 68),
    ),
    "metrics": (
        _import("proxy_define_metric", 4) + _import("proxy_get_metric", 2),
        _call("proxy_define_metric", 0, 0, 4, 64) + _call("proxy_get_metric", 4, 64),
    ),
    "queues": (
        _import("proxy_register_shared_queue", 3) + _import("proxy_enqueue_shared_queue", 3),
        _call("proxy_register_shared_queue", 0, 4, 64) + _call("proxy_enqueue_shared_queue", 1, 0, 1000),
    ),
    "properties": (
        _import("proxy_set_property", 4) + _import("proxy_get_property", 4),
        _call("proxy_set_property", 0, 4, 0, 4) + _call("proxy_get_property", 0, 4, 64, 68),
    ),
    "random": (_import("random_get", 2, "wasi_snapshot_preview1"), _call("random_get", 65_536, 65_536)),
    "vectors": (_import("fd_write", 4, "wasi_snapshot_preview1"), _call("fd_write", 1, 65_536, 1_024, 64)),
    "pairs": (
        _import("proxy_set_header_map_pairs", 3),
        _call("proxy_set_header_map_pairs", 0, 65_536, 1 << 20),
    ),
    "fills": ("", "(memory.fill (i32.const 0) (i32.const 1) (i32.const 2097152))"),
}


@pytest.mark.parametrize("name", sorted(LOOPS))
def test_work_in_the_host_is_counted(name: str) -> None:
    """A loop whose work is done by the host ends as any loop does, or at a trap."""
    report = check.check(_looping(*LOOPS[name]), check.Configuration())
    assert [finding.rule for finding in report.findings] == ["out-of-fuel"]


@pytest.mark.parametrize("name", sorted(LOOPS))
def test_a_small_budget_ends_early(name: str) -> None:
    """The budget that is given decides."""
    budget = outcome.Budget(fuel=1_000_000, calls=1_000)
    report = check.check(_looping(*LOOPS[name]), check.Configuration(), budget=budget)
    assert [finding.rule for finding in report.findings] == ["out-of-fuel"]


def test_a_wait_for_another_thread() -> None:
    """A module that may wait for a thread which never comes is not run: nothing would end the wait."""
    module = vm.assemble(
        '(module (memory $s (export "memory") 1 1 shared) (func (export "proxy_abi_version_0_2_1"))'
        '(func (export "malloc") (param i32) (result i32) (i32.const 8))'
        '(func (export "_initialize")'
        " (drop (memory.atomic.wait32 $s (i32.const 0) (i32.const 0) (i64.const -1)))))"
    )
    report = check.check(module, check.Configuration())
    assert [(finding.rule, finding.level) for finding in report.findings] == [("not-run", "warning")]


def test_a_module_too_large_to_compile() -> None:
    """A module beyond what is compiled is looked at, and said not to have been run."""
    module = _looping("", "") + _section(0, b"\1p" + bytes(limits.DRYRUN_MODULE_BYTES))
    assert {finding.rule for finding in check.check(module, check.Configuration()).findings} == {
        "size",
        "not-run",
    }
