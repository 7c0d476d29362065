"""wasmer's numbers, in the Prometheus text format. The names are an interface.

wasmer_requests_total{status}       answers to requests for modules
wasmer_sent_bytes_total             bytes of modules sent
wasmer_transfers_cut_total          modules that were not sent to the end
wasmer_refused_total{reason}        connections not taken (crowded) or cut (slow), requests above the rate (rate)
wasmer_connections                  connections now
wasmer_fills_total{source,result}   modules asked for at a peer or a controller; result is Ok or an error's reason
wasmer_fill_seconds                 from a miss to the module in the store
wasmer_modules                      modules in the store
wasmer_store_bytes                  bytes of them
wasmer_store_full                   1 where the last module found no room in the store
wasmer_fetches_total                fetches by sidecars that came to their end, as controllers are told of them
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST

_HELP = {
    "connections": "Connections now.",
    "modules": "Modules in the store.",
    "store_bytes": "Bytes of the modules in the store.",
    "store_full": "Whether the last module found no room in the store.",
}


class Metrics:
    """The metrics of one wasmer."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = self._counter("requests", "Answers to requests for modules.", "status")
        self._sent = self._counter("sent_bytes", "Bytes of modules sent.")
        self._cut = self._counter("transfers_cut", "Modules that were not sent to the end.")
        self._refused = self._counter("refused", "Connections and requests not taken, or cut.", "reason")
        self._fetches = self._counter("fetches", "Fetches by sidecars that came to their end.")
        self._asked = self._counter("fills", "Modules asked for elsewhere.", "source", "result")
        self._filled = Histogram(
            "wasmer_fill_seconds", "Time from a miss to the module in the store.", registry=self._registry
        )
        self._statuses: dict[int, Counter] = {}

    def watch(self, numbers: Mapping[str, Callable[[], float]]) -> None:
        """Ask these whenever somebody scrapes: connections, modules, store_bytes, store_full."""
        for name, number in numbers.items():
            Gauge(f"wasmer_{name}", _HELP[name], registry=self._registry).set_function(number)

    def answered(self, status: int) -> None:
        """A request for a module got this HTTP status."""
        counter = self._statuses.get(status)
        if counter is None:
            counter = self._statuses[status] = self._requests.labels(str(status))
        counter.inc()

    def sent(self, size: int) -> None:
        """So many bytes of a module went out, the last one too."""
        self._sent.inc(size)

    def cut(self) -> None:
        """A module was not sent to the end."""
        self._cut.inc()

    def refused(self, reason: str) -> None:
        """A connection or a request was one too many, or too slow."""
        self._refused.labels(reason).inc()

    def fetched(self) -> None:
        """A sidecar has a module."""
        self._fetches.inc()

    def asked(self, source: str, result: str) -> None:
        """A peer or a controller was asked; ``result`` is Ok or the error's reason."""
        self._asked.labels(source, result).inc()

    def filled(self, seconds: float) -> None:
        """A module came into the store."""
        self._filled.observe(seconds)

    def text(self) -> bytes:
        """The exposition."""
        return prometheus_client.generate_latest(self._registry)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"wasmer_{name}", what, labels, registry=self._registry)
