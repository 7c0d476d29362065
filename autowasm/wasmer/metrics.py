"""wasmer's numbers, in the Prometheus text format. The names are an interface."""

from __future__ import annotations

from collections.abc import Callable

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST


class Metrics:
    """The metrics of one wasmer; ``modules`` counts what its store holds."""

    def __init__(self, modules: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "wasmer_requests", "Answers to requests for modules.", ["status"], registry=self._registry
        )
        self._sent = Counter("wasmer_sent_bytes", "Bytes of modules sent.", registry=self._registry)
        self._asked = Counter(
            "wasmer_fills", "Modules asked for elsewhere.", ["source", "result"], registry=self._registry
        )
        self._filled = Histogram(
            "wasmer_fill_seconds", "Time from a miss to the module in the store.", registry=self._registry
        )
        held = Gauge("wasmer_modules", "Modules in the store.", registry=self._registry)
        held.set_function(modules)

    def answered(self, status: int) -> None:
        """A request for a module got this HTTP status."""
        self._requests.labels(str(status)).inc()

    def sent(self, size: int) -> None:
        """Bytes of a module went out."""
        self._sent.inc(size)

    def asked(self, source: str, result: str) -> None:
        """A peer or a controller was asked; ``result`` is Ok or the error's reason."""
        self._asked.labels(source, result).inc()

    def filled(self, seconds: float) -> None:
        """A module came into the store."""
        self._filled.observe(seconds)

    def text(self) -> bytes:
        """The exposition."""
        return prometheus_client.generate_latest(self._registry)
