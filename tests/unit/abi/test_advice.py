"""What the host accepts and a user should know is said, once, and never as an error."""

from __future__ import annotations

import pytest

from autowasm.abi import catalogue, check
from harness.sim import vm

ABI = "0.2.1"
GRPC = '(import "env" "proxy_grpc_cancel" (func (param i32) (result i32)))'
MALLOC = '(func (export "malloc") (param i32) (result i32) (i32.const 1024))'


def _report(
    body: str, abi: str = ABI, capabilities: frozenset[str] = frozenset(), memory: int = 1
) -> check.Report:
    marker = f'(func (export "proxy_abi_version_{abi.replace(".", "_")}"))'
    module = vm.assemble(f'(module {body} (memory (export "memory") {memory}) {marker} {MALLOC})')
    return check.check(module, check.Configuration(capabilities=capabilities))


def _found(report: check.Report) -> list[tuple[str, str]]:
    return [(finding.rule, finding.level) for finding in report.findings]


def _custom(name: str, size: int) -> str:
    return f'(@custom "{name}" "{"x" * size}")'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", []),
        (
            '(func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 8))',
            ["two-allocators"],
        ),
        (
            '(func (export "proxy_on_request_header") (param i32 i32 i32) (result i32) (i32.const 0))',
            ["unknown-export"],
        ),
        ('(global (export "proxy_on_log") i32 (i32.const 0))', ["unknown-export"]),
        ('(func (export "proxy_abi_version_0_2_0"))', []),
        ('(func (export "helper"))', []),
        ('(func (export "proxy_on_grpc_trailing_metadata"))', []),
        (f'{GRPC} (func (export "proxy_on_grpc_trailing_metadata"))', ["unknown-export"]),
        (_custom(".debug_info", 20_000), ["debug-info"]),
        (_custom(".debug_info", 15_000), []),
        (_custom("payload", 60_000), []),
        (_custom(".debug_line", 20_000) + _custom("payload", 80_000), []),
    ],
)
def test_advice(body: str, expected: list[str]) -> None:
    """Each slip gets its one finding, and what is in order gets none; nothing of it is an error."""
    report = _report(body)
    assert [rule for rule, _ in _found(report)] == expected
    assert report.ok


@pytest.mark.parametrize(("pages", "expected"), [(1024, []), (1025, [("memory-minimum", "warning")])])
def test_memory_minimum(pages: int, expected: list[tuple[str, str]]) -> None:
    """A memory of 64 MiB at the beginning is taken, a page more is worth a word."""
    assert _found(_report("", memory=pages)) == expected


def test_a_near_name_is_named() -> None:
    """A misspelt callback comes with the name that was meant."""
    finding = _report('(func (export "proxy_on_http_call_respons"))').worst()
    assert finding is not None
    assert finding.message.endswith("near proxy_on_http_call_response")
    assert ", offset " in finding.where


def test_a_callback_of_another_abi() -> None:
    """A callback that came with a later ABI version is never called."""
    body = '(func (export "proxy_on_foreign_function") (param i32 i32 i32))'
    assert _found(_report(body, abi="0.1.0")) == [("never-called", "warning")]
    assert _found(_report(body)) == []


def test_a_network_filter() -> None:
    """A filter of connections and of nothing else is told that it is not run; SDKs export the callbacks of both."""
    tcp = '(func (export "proxy_on_new_connection") (param i32) (result i32) (i32.const 0))'
    http = '(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))'
    assert _found(_report(tcp)) == [("network-filter", "warning")]
    assert _found(_report(tcp + http)) == []


def test_capabilities_leave_out() -> None:
    """A function and a callback that are not listed are told, with what Envoy says of a call."""
    body = (
        '(import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))'
        '(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))'
        '(func (export "proxy_on_tick") (param i32))'
    )
    found = _report(body, capabilities=frozenset({"fd_write"})).findings
    assert [(f.rule, f.level) for f in found] == [("capability", "warning")] * 2
    assert {f.where.partition(",")[0] for f in found} == {"import env.proxy_log", "export proxy_on_tick"}
    assert "Attempted call to restricted proxy-wasm capability: proxy_log" in {f.envoy_says for f in found}


def test_a_callback_that_is_left_out_may_have_any_type() -> None:
    """The host does not look for a callback without a capability, so its type is nobody's concern."""
    body = '(func (export "proxy_on_tick") (param i64))'
    assert not _report(body).ok
    assert _report(body, capabilities=frozenset({"proxy_log"})).ok


def test_every_rule_has_its_sentence() -> None:
    """The catalogue's sentences are sentences."""
    assert all(
        text[0].isupper() or text.startswith(("malloc", "proxy_")) for text in catalogue.RULES.values()
    )
    assert all(text.endswith(".") for text in catalogue.RULES.values())
