"""What all VMs of a proxy share: time, data, queues, metrics, clusters, and where log lines go.

Source: proxy-wasm-cpp-host, src/shared_data.cc and src/shared_queue.cc; metrics are Envoy's statistics.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from autowasm.abi.tables import MetricType
from harness.sim.clock import Clock
from harness.sim.upstream import Clusters
from harness.sim.values import Message, struct_of

_PATIENCE: Final = 10_000.0


class Ends(Exception):
    """The whole proxy ends itself here, with all of its connections. The message has the signal, and why.

    Nothing catches it but who simulates the proxy as a whole: there is no state to go on from.
    """


class NotSimulated(Exception):
    """The module does what is not simulated. The message says what."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that a module logged; ``level`` is the ABI's number."""

    level: int
    message: str


@dataclass(slots=True)
class Queue:
    """A shared queue: its messages, and who is told of new ones."""

    messages: deque[bytes] = field(default_factory=deque)
    tell: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Node:
    """The proxy's own identity, as its bootstrap has it."""

    id: str = "node"
    cluster: str = "cluster"
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def fields(self) -> Message:
        """As a property."""
        return Message(id=self.id, cluster=self.cluster, metadata=struct_of(self.metadata))


@dataclass(slots=True)
class Metric:
    """A statistic: ``count`` and ``sum`` of a histogram, ``sum`` alone of the others."""

    kind: MetricType
    count: int = 0
    sum: int = 0


@dataclass(slots=True)
class World:
    """The proxy's process."""

    clusters: Clusters = field(default_factory=Clusters)
    node: Node = field(default_factory=Node)
    inbound: bool = True
    envoy: tuple[int, ...] = (1, 40)
    clock: Clock = field(default_factory=Clock)
    data: dict[tuple[str, bytes], tuple[bytes, int]] = field(default_factory=dict)
    queues: dict[int, Queue] = field(default_factory=dict)
    queue_names: dict[tuple[str, bytes], int] = field(default_factory=dict)
    metrics: dict[tuple[MetricType, str], Metric] = field(default_factory=dict)
    logs: list[Line] = field(default_factory=list)
    trace: Callable[[str], None] | None = None
    ended: str = ""
    """Why the proxy ended itself, empty while it runs."""
    vms: dict[Hashable, object] = field(default_factory=dict)
    """The VMs that run, by what makes plugins share one."""
    prompt: int = 0
    """Calls under way that are answered at once: before the next piece of a client's body comes."""
    pending: int = 0
    """Calls to clusters that are not answered yet."""
    _cas: int = 0
    _random: int = 0

    def next_cas(self) -> int:
        """A version number; 0 is none."""
        self._cas += 1
        return self._cas

    def random(self, size: int) -> bytes:
        """Bytes that are the same in each run."""
        self._random += 1
        first = self._random * 0x9E3779B1
        return bytes((first + i * 167) >> 3 & 255 for i in range(size))

    def log(self, level: int, message: str) -> None:
        """Keep a line."""
        self.logs.append(Line(level, message))

    def take_logs(self) -> list[Line]:
        """The lines since the last time."""
        lines, self.logs = self.logs, []
        return lines

    def settle(self) -> None:
        """Wait for the calls that are under way, for ten seconds at most."""
        self.clock.run(_PATIENCE, lambda: self.pending > 0)

    def metric(self, kind: MetricType, name: str) -> Metric:
        """A statistic, made when it is first asked for."""
        return self.metrics.setdefault((kind, name), Metric(kind))

    def figures(self) -> dict[str, Any]:
        """All metrics: a number each, and for histograms that have values how many and their sum."""
        return {
            name: {"count": m.count, "sum": m.sum} if m.kind is MetricType.HISTOGRAM else m.sum
            for (_, name), m in sorted(self.metrics.items())
            if name and (m.count or m.kind is not MetricType.HISTOGRAM)
        }
