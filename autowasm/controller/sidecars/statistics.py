"""What a sidecar's statistics say about Wasm, out of Prometheus' text format. Pure.

Names are Envoy's, as it writes them for Prometheus; Istio's bootstrap lets those that begin with ``wasm``,
``listener_manager`` and ``server`` out (pkg/bootstrap/config.go, requiredEnvoyStatsMatcherInclusionPrefixes).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import parser

FILTER: Final = (
    r"^(wasm\.|listener_manager\.(lds\.update|listener_modified$|total_)|server\.(concurrency|uptime)$)"
)
"""Regular expression over Envoy's own names: what is asked for, so that an answer has some dozen lines."""

_VMS: Final = re.compile(r"envoy_wasm_envoy_wasm_runtime_\w+_active")
_PLUGIN: Final = re.compile(r"envoy_wasm_(\w+)_vm_reload")
_MANAGER: Final = "envoy_listener_manager_"


@dataclass(frozen=True, slots=True)
class Statistics:
    """A look at one sidecar.

    Attributes:
        vms: Wasm VMs that are alive. Each filter whose module started has one of its own, one in the main thread and
            one in each worker; a module that could not be started has none.
        workers: worker threads.
        warming: listeners that wait, as for a module that is being fetched.
        draining: listeners and filter chains that were replaced and still serve old connections.
        updated: seconds since the epoch at which the last update of listeners was taken, by the sidecar's clock.
        failures: modules that were given up, since the last time that there was no Wasm filter at all.
        hits: modules that it had already when it was told of them, since then too.
        updates: updates of listeners that were taken since Envoy began.
        modified: changes of listeners since then.
        uptime: seconds since Envoy began, as they were when it last summed up: some seconds ago.
        plugins: names of filters that are or were there, as Prometheus writes them.
    """

    vms: int
    workers: int
    warming: int
    draining: int
    updated: float
    failures: int
    updates: int
    modified: int
    uptime: float
    plugins: frozenset[str] = frozenset()
    hits: int = 0

    @property
    def vms_each(self) -> int:
        """How many VMs one filter has that was started."""
        return self.workers + 2


def read(text: str) -> Statistics:
    """What the text says.

    Raises:
        ValueError: it is not Prometheus' format, or not Envoy's.
    """
    values = _values(text)
    if not values.get("envoy_server_concurrency"):
        raise ValueError("statistics: must be of an Envoy that has begun, have no envoy_server_concurrency")
    draining = ("total_listeners_draining", "total_filter_chains_draining")
    return Statistics(
        vms=sum(int(value) for name, value in values.items() if _VMS.fullmatch(name)),
        workers=int(values["envoy_server_concurrency"]),
        warming=int(values.get(f"{_MANAGER}total_listeners_warming", 0)),
        draining=sum(int(values.get(_MANAGER + name, 0)) for name in draining),
        updated=values.get(f"{_MANAGER}lds_update_time", 0.0) / 1000,
        failures=int(values.get("envoy_wasm_remote_load_fetch_failures", 0)),
        updates=int(values.get(f"{_MANAGER}lds_update_success", 0)),
        modified=int(values.get(f"{_MANAGER}listener_modified", 0)),
        uptime=values.get("envoy_server_uptime", 0.0),
        plugins=frozenset(match[1] for name in values if (match := _PLUGIN.fullmatch(name))),
        hits=int(values.get("envoy_wasm_remote_load_cache_hits", 0)),
    )


def spelt(plugin: str) -> str:
    """A filter's name as Envoy writes it for Prometheus."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", plugin)


def _values(text: str) -> Mapping[str, float]:
    try:
        families = list(parser.text_string_to_metric_families(text))
    except (ValueError, IndexError, KeyError, AttributeError, TypeError) as fault:
        raise ValueError(f"statistics: must be as Prometheus reads them: {fault!r}") from fault
    samples = [sample for family in families for sample in family.samples if math.isfinite(sample.value)]
    # The reader gives counters the ending that they should have.
    return {sample.name.removesuffix("_total"): sample.value for sample in samples}
