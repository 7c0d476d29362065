"""The simulated host loads what Envoy loads, in the same steps, and answers for what fails as Envoy does."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest

from harness.samples import Samples
from harness.sim import upstream, vm
from harness.sim.exchange import Received, Request, Route
from harness.sim.plugin import Plugin, Policy
from harness.sim.sidecar import Sidecar, Slot
from harness.sim.world import World

ROOT = Path(__file__).parents[3] / "wasm_samples"
SAMPLES = Samples(ROOT)
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((ROOT / "samples.toml").read_text("utf-8"))
WAT = {name for name in EXPECTED if any((ROOT / f"{name}.{kind}").exists() for kind in ("wat", "hex"))}
ORDINARY = Plugin()
BY_REQUEST = ("request-trap", "stream-crash", "grpc-unset-target")
"""What a module does wrong when a request comes."""


def _proxy(*modules: bytes, plugin: Plugin = ORDINARY) -> Sidecar:
    proxy = Sidecar(World(), Route("app"))
    proxy.world.clusters.answers["app"] = lambda _: upstream.Reply(200, ((b"x-up", b"1"),), (b"ok",))
    proxy.slots.extend(Slot(proxy.world, module, plugin) for module in modules)
    return proxy


def _values(received: Received, name: str) -> list[bytes]:
    return [value for key, value in received.headers if key == name.encode()]


def _made(body: str, imports: str = "") -> bytes:
    return vm.assemble(
        f'(module {imports} (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))'
        f'(func (export "malloc") (param i32) (result i32) (i32.const 1024)) {body})'
    )


@pytest.mark.parametrize("name", sorted(WAT - {"bad/start-loops"}))
def test_loads_what_envoy_loads(name: str) -> None:
    """A good sample loads and a bad one does not: the same expectation that the check and Envoy meet."""
    plugin = Plugin(
        vm_configuration=EXPECTED[name].get("vm", "").encode(),
        configuration=EXPECTED[name].get("plugin", "").encode(),
    )
    slot = Slot(World(), SAMPLES.module(name), plugin)
    found = EXPECTED[name].get("findings", {})
    if name.startswith("good/") or not found.keys().isdisjoint(BY_REQUEST):
        assert slot.loaded is not None, slot.error
        assert slot.loaded.code.abi == EXPECTED[name]["abi"]
    else:
        assert slot.loaded is None


def test_header_on_both_ways() -> None:
    """A filter's headers reach the application and the client."""
    proxy = _proxy(SAMPLES.module("good/hello-v1"))
    received = proxy.request(Request())
    assert proxy.world.clusters.take()[0].value("hello") == b"world"
    assert (received.status, bytes(received.body)) == (200, b"ok")
    assert (_values(received, "hello"), _values(received, "x-filter-version")) == ([b"world"], [b"v1"])


def test_chain() -> None:
    """Responses pass the chain in reverse."""
    proxy = _proxy(SAMPLES.module("good/hello-v1"), SAMPLES.module("good/hello-v2"))
    assert _values(proxy.request(Request()), "x-filter-version") == [b"v2", b"v1"]


def test_configuration_arrives() -> None:
    """A module reads its plugin configuration, and one that refuses an empty one is not loaded without."""
    module = SAMPLES.module("good/config-reader")
    received = _proxy(module, plugin=Plugin(configuration=b"abc")).request(Request())
    assert _values(received, "x-config") == [b"abc"]
    proxy = _proxy(module)
    assert "Failed to configure base Wasm plugin" in proxy.slots[0].error
    assert proxy.request(Request()).status == 503


def test_body_is_changed() -> None:
    """A body that a filter appends to arrives changed."""
    received = _proxy(SAMPLES.module("good/body")).request(Request())
    assert bytes(received.body) == b"ok (filtered)"


def test_local_response() -> None:
    """A filter that answers itself keeps the request from the application; those before it see the answer."""
    proxy = _proxy(SAMPLES.module("good/hello-v1"), SAMPLES.module("good/local-response"))
    received = proxy.request(Request())
    assert proxy.world.clusters.take() == []
    assert (received.status, bytes(received.body), _values(received, "hello")) == (403, b"denied", [b"world"])


TRAPS = '(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (unreachable))'


@pytest.mark.parametrize(
    ("policy", "statuses"),
    [(Policy.CLOSED, [503, 503]), (Policy.OPEN, [503, 200]), (Policy.RELOAD, [503, 503])],
)
def test_trap(policy: Policy, statuses: list[int]) -> None:
    """The request that traps is answered 503 whatever the policy; later ones as the policy says."""
    proxy = _proxy(_made(TRAPS), plugin=Plugin(policy=policy))
    assert [proxy.request(Request()).status for _ in statuses] == statuses


def test_trap_is_told() -> None:
    """A trap tells where it was, in the module's names, and which host call was before it."""
    log = '(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))'
    body = TRAPS.replace(
        "(unreachable)", "(drop (call $log (i32.const 9) (i32.const 0) (i32.const 0))) (call $sum)"
    )
    proxy = _proxy(_made(f"(func $sum (result i32) (unreachable)) {body}", log))
    proxy.request(Request())
    loaded = proxy.slots[0].loaded
    assert loaded is not None
    assert "sum <" in loaded.host.failure
    assert 'the host call before it: proxy_log(9, "") -> BAD_ARGUMENT' in loaded.host.failure


def test_endless_loop() -> None:
    """A loop without end ends with a verdict."""
    body = TRAPS.replace("(unreachable)", "(loop $l (br $l)) (unreachable)")
    proxy = _proxy(_made(body))
    assert proxy.request(Request()).status == 503
    assert proxy.slots[0].loaded is not None
    assert "fuel" in proxy.slots[0].loaded.host.failure


def test_reload_after_a_while() -> None:
    """With FAIL_RELOAD a failed VM is loaded anew, though not before a second and a half have passed."""
    traps_once = """(global $seen (mut i32) (i32.const 0))
      (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (global.set $seen (i32.add (global.get $seen) (i32.const 1)))
        (if (i32.eq (global.get $seen) (i32.const 2)) (then (unreachable))) (i32.const 0))"""
    proxy = _proxy(_made(traps_once), plugin=Plugin(policy=Policy.RELOAD))
    assert [proxy.request(Request()).status for _ in range(3)] == [200, 503, 503]
    proxy.world.clock.sleep(2000)
    assert [proxy.request(Request()).status for _ in range(2)] == [200, 503]


def test_pause_without_end() -> None:
    """A module that pauses and never goes on leaves the client without an answer."""
    pauses = '(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 1))'
    assert _proxy(_made(pauses)).request(Request()).outcome == "timeout"


def test_streams_have_numbers_of_their_own() -> None:
    """Every stream gets another context number, and its end is told."""
    body = """(global $made (mut i32) (i32.const 0))
        (func (export "proxy_on_context_create") (param $id i32) (param $parent i32)
          (if (local.get $parent) (then
            (if (i32.le_u (local.get $id) (global.get $made)) (then (unreachable)))
            (global.set $made (local.get $id)))))
        (func (export "proxy_on_delete") (param $id i32)
          (if (i32.ne (local.get $id) (global.get $made)) (then (unreachable))))"""
    proxy = _proxy(_made(body))
    assert [proxy.request(Request()).status for _ in range(3)] == [200, 200, 200]


def test_forbidden_capabilities() -> None:
    """A callback that is not allowed is not called."""
    allowed = Plugin(capabilities=frozenset({"proxy_log"}))
    assert _proxy(_made(TRAPS), plugin=allowed).request(Request()).status == 200
    named = dataclasses.replace(allowed, capabilities=frozenset({"proxy_on_request_headers"}))
    assert _proxy(_made(TRAPS), plugin=named).request(Request()).status == 503


def test_plugins_share_a_vm() -> None:
    """Plugins with one VM id, VM configuration and module share a VM: a trap of one ends the other."""
    traps_for_second = """(func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
      (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (unreachable))"""
    module = _made(traps_for_second)
    world = World()
    first, second = (Slot(world, module, Plugin(name=name, vm_id="shared")) for name in ("one", "two"))
    other = Slot(world, module, Plugin(vm_id="own"))
    assert first.loaded is not None
    assert second.loaded is not None
    assert other.loaded is not None
    assert first.loaded.host is second.loaded.host
    assert first.loaded.host is not other.loaded.host
    assert [root.number for root in first.loaded.host.roots] == [1, 2]


def test_engine_takes_no_text() -> None:
    """Text that would be a module for the engine is none for the host."""
    assert Slot(World(), b"(module)", ORDINARY).loaded is None
