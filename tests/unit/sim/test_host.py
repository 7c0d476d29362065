"""The simulated host loads what Envoy loads, in the same steps, and fails closed as Envoy does."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from harness.samples import Samples
from harness.sim import exchange, host, vm
from harness.sim.contexts import Plugin

ROOT = Path(__file__).parents[3] / "wasm_samples"
SAMPLES = Samples(ROOT)
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((ROOT / "samples.toml").read_text("utf-8"))
# What the simulated host does not see, because the engine's interface does not show it.
UNSEEN = {"bad/broken-name-section", "bad/host-type"}


def _load(name: str, **configuration: bytes) -> host.Host:
    return host.Host(SAMPLES.module(name), Plugin(**configuration))  # type: ignore[arg-type]


def _app(request: exchange.Message) -> exchange.Message:
    del request
    return exchange.Message(((":status", "200"),), b"ok")


REQUEST = exchange.Message(((":method", "GET"), (":path", "/"), (":authority", "a")))


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - UNSEEN - {"bad/start-loops"}))
def test_loads_what_envoy_loads(name: str) -> None:
    """A good sample loads and a bad one does not: the same expectation that the check and Envoy meet."""
    configuration = EXPECTED[name].get("plugin", "").encode()
    if name.startswith("good/"):
        assert _load(name, configuration=configuration).state.abi == EXPECTED[name]["abi"]
    else:
        with pytest.raises(host.NotLoaded):
            _load(name, configuration=configuration)


def test_header_on_both_ways() -> None:
    """A filter's headers reach the application and the client."""
    answer = exchange.run([_load("good/hello-v1")], REQUEST, _app)
    assert answer.reached is not None
    assert answer.reached.value("hello") == "world"
    assert answer.response is not None
    assert answer.response.headers == ((":status", "200"), ("hello", "world"), ("x-filter-version", "v1"))


def test_chain() -> None:
    """Responses pass the chain in reverse."""
    chain = [_load("good/hello-v1"), _load("good/hello-v2")]
    response = exchange.run(chain, REQUEST, _app).response
    assert response is not None
    assert [value for name, value in response.headers if name == "x-filter-version"] == ["v2", "v1"]


def test_configuration_arrives() -> None:
    """A module reads its plugin configuration, and one that refuses an empty one is not loaded without."""
    response = exchange.run([_load("good/config-reader", configuration=b"abc")], REQUEST, _app).response
    assert response is not None
    assert response.value("x-config") == "abc"
    with pytest.raises(host.NotLoaded, match="Failed to configure base Wasm plugin"):
        _load("good/config-reader")


def test_body_is_changed() -> None:
    """A body that a filter appends to arrives changed, without the old length."""
    app = exchange.Message(((":status", "200"), ("content-length", "2")), b"ok")
    response = exchange.run([_load("good/body")], REQUEST, lambda _: app).response
    assert response == exchange.Message(((":status", "200"),), b"ok (filtered)")


def test_local_response() -> None:
    """A filter that answers itself keeps the request from the application; those before it see the answer."""
    chain = [_load("good/hello-v1"), _load("good/local-response")]
    answer = exchange.run(chain, REQUEST, _app)
    assert answer.reached is None
    assert answer.response is not None
    assert answer.response.body == b"denied"
    assert (answer.response.value(":status"), answer.response.value("hello")) == ("403", "world")


def _made(body: str, imports: str = "") -> host.Host:
    module = vm.assemble(
        f'(module {imports} (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))'
        f'(func (export "malloc") (param i32) (result i32) (i32.const 1024)) {body})'
    )
    return host.Host(module, Plugin())


def test_trap_fails_closed() -> None:
    """A module that traps at a request answers 503, then and from then on."""
    plugin = _made(
        '(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (unreachable))'
    )
    for _ in range(2):
        response = exchange.run([plugin], REQUEST, _app).response
        assert response is not None
        assert response.value(":status") == "503"
    assert "unreachable" in plugin.failure


def test_pause_without_end() -> None:
    """A module that pauses and never goes on leaves the client without an answer."""
    plugin = _made(
        '(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 1))'
    )
    assert exchange.run([plugin], REQUEST, _app).response is None


def test_streams_have_numbers_of_their_own() -> None:
    """Every stream gets another context number, and its end is told."""
    count = "(global $made (mut i32) (i32.const 0)) (global $gone (mut i32) (i32.const 0))"
    plugin = _made(
        f"""{count}
        (func (export "proxy_on_context_create") (param $id i32) (param $parent i32)
          (if (local.get $parent) (then
            (if (i32.le_u (local.get $id) (global.get $made)) (then (unreachable)))
            (global.set $made (local.get $id)))))
        (func (export "proxy_on_delete") (param $id i32)
          (if (i32.ne (local.get $id) (global.get $made)) (then (unreachable)))
          (global.set $gone (local.get $id)))"""
    )
    for _ in range(3):
        response = exchange.run([plugin], REQUEST, _app).response
        assert response is not None
        assert response.value(":status") == "200"


def test_engine_takes_no_text() -> None:
    """Text that would be a module for the engine is none for the host."""
    with pytest.raises(host.NotLoaded):
        host.Host(b"(module)", Plugin())
