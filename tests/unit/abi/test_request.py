"""The dry request: what happens to a plain GET is found before any client sends one."""

from __future__ import annotations

import pytest

from autowasm.abi import check, dryrun, outcome
from harness.sim import vm

SMALL = outcome.Budget(fuel=1_000_000, calls=1_000, memory=1 << 20)
GET = '(import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))'
PROPERTY = '(import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))'
SEND = '(import "env" "proxy_send_local_response" (func $send (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))'
GRPC = (
    '(import "env" "proxy_grpc_stream" (func $grpc (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))'
)
CONTINUE = '(import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))'
LOG = '(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))'
REQUEST = '(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {} (i32.const 0))'
RESPONSE = '(func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) {} (i32.const 0))'
SEND_403 = "(drop (call $send (i32.const 403) {zeros}))".format(zeros="(i32.const 0) " * 7)


def _module(imports: str, body: str) -> bytes:
    return vm.assemble(
        f'(module {imports} (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))'
        f'(func (export "malloc") (param i32) (result i32) (i32.const 1024)) {body})'
    )


def _findings(imports: str, body: str) -> list[tuple[str, str]]:
    report = check.check(_module(imports, body), check.Configuration(), budget=SMALL)
    return [(finding.rule, finding.level) for finding in report.findings]


def _run(imports: str, body: str, configuration: outcome.Configuration | None = None) -> outcome.Outcome:
    program = dryrun.Program(_module(imports, body), "0.2.1")
    return program.run(configuration or outcome.Configuration(), SMALL)


@pytest.mark.parametrize(
    ("export", "parameters", "answer"),
    [
        ("proxy_on_request_headers", "i32 i32 i32", "(i32.const 0)"),
        ("proxy_on_response_headers", "i32 i32 i32", "(i32.const 0)"),
        ("proxy_on_response_body", "i32 i32 i32", "(i32.const 0)"),
        ("proxy_on_log", "i32", ""),
        ("proxy_on_done", "i32", "(i32.const 1)"),
        ("proxy_on_delete", "i32", ""),
    ],
)
def test_a_trap_in_a_callback(export: str, parameters: str, answer: str) -> None:
    """A trap in any callback of a stream is an error that names the callback."""
    result = "(result i32)" if answer else ""
    body = f'(func (export "{export}") (param {parameters}) {result} (unreachable) {answer})'
    report = check.check(_module("", body), check.Configuration(), budget=SMALL)
    worst = report.worst()
    assert worst is not None
    assert (worst.rule, worst.level) == ("request-trap", "error")
    assert worst.message.startswith(f"{export}: ")
    assert worst.envoy_says == f"Function: {export} failed: Uncaught RuntimeError: unreachable"


def test_a_trap_behind_a_guess_is_a_warning() -> None:
    """Where an answer that only a proxy has may have led to the trap, Envoy may do better."""
    data = '(data (i32.const 0) "source\\00address")'
    ask = (
        "(if (call $property (i32.const 0) (i32.const 14) (i32.const 64) (i32.const 68)) (then unreachable))"
    )
    assert _findings(PROPERTY, data + REQUEST.format(ask)) == [("request-trap", "warning")]


def test_a_property_of_the_request_is_no_guess() -> None:
    """What the request says is known: its method."""
    data = '(data (i32.const 0) "request\\00method")'
    ask = (
        "(if (call $property (i32.const 0) (i32.const 14) (i32.const 64) (i32.const 68)) (then unreachable))"
    )
    assert _findings(PROPERTY, data + REQUEST.format(ask)) == []


def test_a_header_that_a_client_need_not_send() -> None:
    """A module that counts on a header of a plain GET which is not there is found."""
    data = '(data (i32.const 0) "authorization")'
    ask = (
        "(if (call $get (i32.const 0) (i32.const 0) (i32.const 13) (i32.const 64) (i32.const 68))"
        " (then unreachable))"
    )
    assert _findings(GET, data + REQUEST.format(ask)) == [("request-trap", "error")]
    assert (
        _findings(
            GET, data.replace("authorization", ":authority   ") + REQUEST.format(ask.replace("13", "10"))
        )
        == []
    )


def test_a_loop_in_a_request() -> None:
    """A request that is never let go holds the proxy's worker: an error."""
    assert _findings("", REQUEST.format("(loop $l (br $l))")) == [("out-of-fuel", "error")]


def test_an_own_answer_passes_the_response_callbacks() -> None:
    """The answer that a module gives itself comes by its own response callbacks."""
    trap = "(if (i32.eq (local.get 1) (i32.const 1)) (then unreachable))"  # :status, and nothing else
    body = REQUEST.format(SEND_403) + RESPONSE.format(trap)
    assert _findings(SEND, body) == [("request-trap", "error")]
    assert _findings(SEND, REQUEST.format("") + RESPONSE.format(trap)) == []


def test_a_paused_request_gets_no_answer() -> None:
    """A module that holds a request back is not asked about an answer, and not blamed."""
    paused = REQUEST.format("").replace("(i32.const 0))", "(i32.const 1))")
    assert _findings("", paused + RESPONSE.format("unreachable")) == []


@pytest.mark.parametrize("place", ["proxy_on_configure", "proxy_on_request_headers"])
def test_grpc_without_a_target(place: str) -> None:
    """A gRPC service that names no target would end the whole proxy, whenever it is called."""
    parameters = "i32 i32" if place == "proxy_on_configure" else "i32 i32 i32"
    call = f"(drop (call $grpc {'(i32.const 0) ' * 8} (i32.const 64)))"
    body = f'(func (export "{place}") (param {parameters}) (result i32) {call} (i32.const 1))'
    assert _findings(GRPC, body) == [("grpc-unset-target", "error")]


def test_grpc_with_a_target() -> None:
    """A gRPC service that names a cluster is taken."""
    data = '(data (i32.const 0) "\\0a\\05\\0a\\03abc")'
    call = f"(drop (call $grpc (i32.const 0) (i32.const 7) {'(i32.const 0) ' * 6} (i32.const 64)))"
    assert _findings(GRPC, data + REQUEST.format(call)) == []


def test_a_capability_that_is_left_out() -> None:
    """A call without its capability answers that it failed, and a callback without it is not made."""
    body = REQUEST.format(
        "(if (i32.ne (i32.const 10) (call $log (i32.const 2) (i32.const 0) (i32.const 1))) (then unreachable))"
    )
    only = outcome.Configuration(capabilities=frozenset({"proxy_on_request_headers"}))
    found = _run(LOG, body + RESPONSE.format("unreachable"), only)
    assert found.fault is None
    assert found.logs == ("error: Attempted call to restricted proxy-wasm capability: proxy_log",)


def test_environment() -> None:
    """Variables are handed over as WASI writes them: pointers, and NAME=value with a NUL."""
    wasi = "".join(
        f'(import "wasi_snapshot_preview1" "{name}" (func ${name} (param i32 i32) (result i32)))'
        for name in ("environ_get", "environ_sizes_get")
    )
    body = """(func (export "_initialize")
      (drop (call $environ_sizes_get (i32.const 0) (i32.const 4)))
      (drop (call $environ_get (i32.const 8) (i32.const 100)))
      (drop (call $log (i32.const 2) (i32.load (i32.const 12)) (i32.sub (i32.load (i32.const 4)) (i32.const 5)))))"""
    found = _run(LOG + wasi, body, outcome.Configuration(environment=(("A", "bc"), ("NAME", "x"))))
    assert found.logs == ("info: NAME=x\0",)


@pytest.mark.parametrize(("answer", "expected"), [(0, [("stream-twice", "warning")]), (1, [])])
def test_a_request_that_goes_on_unpaused(answer: int, expected: list[tuple[str, str]]) -> None:
    """A request that is let go on within its callback, and was not paused, is sent twice; paused it is not."""
    body = (
        '(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)'
        f" (drop (call $continue (i32.const 0))) (i32.const {answer}))"
    )
    assert _findings(CONTINUE, body) == expected


def test_a_stream_that_is_closed_too_early() -> None:
    """When a stream's context is made, closing it ends the whole proxy; when its request comes, it does not."""
    close = '(import "env" "proxy_close_stream" (func $close (param i32) (result i32)))'
    shut = "(drop (call $close (i32.const 0)))"
    create = f'(func (export "proxy_on_context_create") (param i32 i32) (if (local.get 1) (then {shut})))'
    assert _findings(close, create) == [("stream-crash", "error")]
    assert _findings(close, REQUEST.format(shut)) == []
