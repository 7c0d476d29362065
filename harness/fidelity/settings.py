"""How plugins can be set up: failure policies of a VM that traps, capabilities, and what else a plugin's fields do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from harness.fidelity import requests

_PASSES: Final = [["X-Trap", "no"]]
_RELOADED_MS: Final = 2500
"""Behind the time that Envoy lets go by before it makes a failed VM anew: a second, and up to as much again."""


def _get(name: str, headers: Sequence[Sequence[str]], sleep_ms: int = 0) -> dict[str, Any]:
    return {**requests.ALL[0], "name": name, "headers": list(headers), "sleep_ms_before": sleep_ms}


_TRAPPING: Final = (
    _get("before", _PASSES),
    _get("trap", []),
    _get("after", _PASSES),
    {**requests.ALL[4], "name": "body-after"},
    _get("later", _PASSES, _RELOADED_MS),
    _get("trap-again", [["x-trap", "yes"]]),
)
# sample, what is special, the plugin's fields, the requests
_TABLE: Final[tuple[tuple[str, str, Mapping[str, Any], Sequence[Mapping[str, Any]]], ...]] = (
    ("bad/request-traps", "closed", {"failure_policy": "FAIL_CLOSED"}, _TRAPPING),
    ("bad/request-traps", "open", {"failure_policy": "FAIL_OPEN"}, _TRAPPING),
    ("bad/request-traps", "reload", {"failure_policy": "FAIL_RELOAD"}, _TRAPPING),
    ("bad/missing-import", "reload", {"failure_policy": "FAIL_RELOAD"}, requests.ALL[:3]),
    ("good/hello-v1", "outbound", {"direction": "outbound"}, requests.ALL),
    (
        "good/hello-v1",
        "without a host call",
        {"capabilities": ["proxy_on_request_headers"]},
        requests.ALL[:4],
    ),
    (
        "good/hello-v1",
        "without a callback",
        {"capabilities": ["proxy_on_response_headers", "proxy_add_header_map_value", "proxy_log"]},
        requests.ALL[:4],
    ),
    ("good/hello-v1", "with an environment", {"environment": {"KEY": "value"}}, requests.ALL[:2]),
    ("good/body", "iterating", {"allow_on_headers_stop_iteration": False}, requests.ALL),
    ("good/body", "stopping", {"allow_on_headers_stop_iteration": True}, requests.ALL),
    ("good/config-reader", "in JSON", {"configuration": '{"a": [1, "ü"]}'}, requests.ALL[:2]),
)
# What generated modules are given, each value as often as it stands here.
CHOICES: Final[Mapping[str, Sequence[Any]]] = {
    "configuration": (None, "", '{"a": 1}'),
    "vm_configuration": (None, "vm"),
    "direction": ("inbound", "inbound", "outbound"),
    "failure_policy": (None, None, "FAIL_CLOSED", "FAIL_OPEN"),
    "allow_on_headers_stop_iteration": (None, None, True, False),
}


def rows() -> Iterator[tuple[str, str, Mapping[str, Any], Sequence[Mapping[str, Any]]]]:
    """Sample, what is special about it, the plugin's fields, the requests."""
    yield from _TABLE
