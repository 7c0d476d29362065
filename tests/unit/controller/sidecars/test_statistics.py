"""What a sidecar's statistics say, out of Prometheus' text."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm.controller.sidecars import statistics

# What an Envoy 1.40 with one worker answered while it served two filters and an old filter chain.
TEXT = """\
# TYPE envoy_listener_manager_lds_update_rejected counter
envoy_listener_manager_lds_update_rejected{} 0
envoy_listener_manager_lds_update_success{} 12
envoy_listener_manager_listener_modified{} 7
# TYPE envoy_wasm_envoy_wasm_runtime_v8_created counter
envoy_wasm_envoy_wasm_runtime_v8_created{} 8
# TYPE envoy_wasm_my_ns_hello_x_vm_reload counter
envoy_wasm_my_ns_hello_x_vm_reload{} 0
# TYPE envoy_wasm_my_ns_hello_x_vm_reload_backoff counter
envoy_wasm_my_ns_hello_x_vm_reload_backoff{} 0
# TYPE envoy_wasm_my_ns_hello_x_vm_reload_failure counter
envoy_wasm_my_ns_hello_x_vm_reload_failure{} 0
# TYPE envoy_wasm_other_vm_reload counter
envoy_wasm_other_vm_reload{} 0
# TYPE envoy_wasm_remote_load_cache_hits counter
envoy_wasm_remote_load_cache_hits{} 5
# TYPE envoy_wasm_remote_load_fetch_failures counter
envoy_wasm_remote_load_fetch_failures{} 3
# TYPE envoy_listener_manager_lds_update_time gauge
envoy_listener_manager_lds_update_time{} 1795575708456
# TYPE envoy_listener_manager_total_filter_chains_draining gauge
envoy_listener_manager_total_filter_chains_draining{} 1
# TYPE envoy_listener_manager_total_listeners_draining gauge
envoy_listener_manager_total_listeners_draining{} 2
# TYPE envoy_listener_manager_total_listeners_warming gauge
envoy_listener_manager_total_listeners_warming{} 4
# TYPE envoy_server_concurrency gauge
envoy_server_concurrency{} 1
# TYPE envoy_server_uptime gauge
envoy_server_uptime{} 17
# TYPE envoy_wasm_envoy_wasm_runtime_v8_active gauge
envoy_wasm_envoy_wasm_runtime_v8_active{} 6
# TYPE envoy_wasm_wasm_vm_count gauge
envoy_wasm_wasm_vm_count{} 6
"""


def test_what_envoy_says():
    """Each number is read from where Envoy has it; times are seconds."""
    assert statistics.read(TEXT) == statistics.Statistics(
        vms=6,
        workers=1,
        warming=4,
        draining=3,
        updated=1795575708.456,
        failures=3,
        updates=12,
        modified=7,
        uptime=17.0,
        plugins=frozenset({"my_ns_hello_x", "other"}),
        hits=5,
    )
    assert statistics.read(TEXT).vms_each == 3


def test_without_any_filter():
    """An Envoy that never had a Wasm filter says nothing of Wasm: none."""
    seen = statistics.read("envoy_server_concurrency{} 2\n")
    assert (seen.vms, seen.plugins, seen.vms_each) == (0, frozenset(), 4)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "<html>",
        'x{a="b} 1',
        "up 1\n",
        "envoy_server_concurrency{} NaN\n",
        "envoy_server_concurrency{} 0\n",
    ],
)
def test_what_is_none_of_envoy_s(text):
    """What is no statistics of an Envoy is refused, never read as zeros."""
    with pytest.raises(ValueError, match="statistics"):
        statistics.read(text)


@given(st.text() | st.text(alphabet='ab_{}="# \n\\1.e', max_size=40))
def test_any_text_is_read_or_refused(text):
    """No text raises anything but ValueError."""
    for given_text in (text, TEXT + text):
        with contextlib.suppress(ValueError):
            statistics.read(given_text)


def test_names_as_prometheus_has_them():
    """A filter's name is found in the statistics under its own spelling there."""
    assert statistics.spelt("my-ns.hello-x") == "my_ns_hello_x"
    assert re.search(statistics.FILTER, "wasm.hello.vm_reload")
    assert not re.search(statistics.FILTER, "cluster.outbound|80||a.wasm.svc")
