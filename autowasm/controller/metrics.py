"""The controller's numbers, for Prometheus. The names are an interface: dashboards are built on them.

| name                                          | what                                             |
| --------------------------------------------- | ------------------------------------------------ |
| autowasm_controller_reconciles_total{result}  | works on a name: changed, unchanged, failed      |
| autowasm_controller_reconcile_seconds         | how long one took                                |
| autowasm_controller_queue_length              | names that wait for their turn                   |
| autowasm_controller_pulls_total{source,result}| modules fetched from registries and object URLs  |
| autowasm_controller_pull_seconds{source}      | how long one took                                |
| autowasm_controller_check_seconds             | how long one check of a module took              |
| autowasm_controller_blobs_total{status}       | answers to wasmers, by HTTP status               |
| autowasm_controller_leading                   | 1 where this replica is the one that writes      |
| autowasm_controller_autowasms{phase}          | AutoWasm objects by phase                        |
| autowasm_controller_sidecars{state}           | pods meant by an AutoWasm, once for each: all,   |
|                                               | fetched, loaded                                  |
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_PREFIX = "autowasm_controller_"
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)


class Metrics:
    """The numbers of one controller; tests may have several."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.reconciles = Counter(
            f"{_PREFIX}reconciles", "Works on a name.", ["result"], registry=self._registry
        )
        self.blobs = Counter(f"{_PREFIX}blobs", "Answers to wasmers.", ["status"], registry=self._registry)
        self._pulls = Counter(
            f"{_PREFIX}pulls", "Modules fetched.", ["source", "result"], registry=self._registry
        )
        self._pull_seconds = self._seconds("pull", "Duration of a fetch.", "source")
        self._check_seconds = self._seconds("check", "Duration of a check.")
        self._reconcile_seconds = self._seconds("reconcile", "Duration of one work on a name.")

    def watch(
        self, length: Callable[[], int], leading: Callable[[], bool], phases: Callable[[], Mapping[str, int]]
    ) -> None:
        """Ask these whenever somebody scrapes."""
        leads = Gauge(f"{_PREFIX}leading", "Whether this replica writes.", registry=self._registry)
        leads.set_function(leading)
        gauge = Gauge(f"{_PREFIX}queue_length", "Names that wait for their turn.", registry=self._registry)
        gauge.set_function(length)
        self._registry.register(_ByLabel("autowasms", "AutoWasm objects by phase.", "phase", phases))

    def watch_sidecars(self, states: Callable[[], Mapping[str, int]]) -> None:
        """Ask this, too."""
        what = "Pods with a sidecar that an AutoWasm means, once for each."
        self._registry.register(_ByLabel("sidecars", what, "state", states))

    @contextlib.contextmanager
    def pull(self, source: str) -> Iterator[None]:
        """Count and time a fetch."""
        with self._pull_seconds.labels(source).time():
            try:
                yield
            except BaseException:
                self._pulls.labels(source, "failed").inc()
                raise
        self._pulls.labels(source, "done").inc()

    def check(self) -> contextlib.AbstractContextManager[object]:
        """Time a check."""
        return self._check_seconds.time()

    def reconcile(self) -> contextlib.AbstractContextManager[object]:
        """Time a work on a name."""
        return self._reconcile_seconds.time()

    def text(self) -> bytes:
        """The page that Prometheus scrapes."""
        return prometheus_client.generate_latest(self._registry)

    def _seconds(self, what: str, help_: str, *labels: str) -> Histogram:
        name = f"{_PREFIX}{what}_seconds"
        return Histogram(name, help_, labels, registry=self._registry, buckets=_BUCKETS)


class _ByLabel(Collector):
    def __init__(self, name: str, what: str, label: str, counts: Callable[[], Mapping[str, int]]) -> None:
        self._described = f"{_PREFIX}{name}", what
        self._label = label
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(*self._described, labels=[self._label])
        for value, count in sorted(self._counts().items()):
            family.add_metric([value], count)
        yield family
