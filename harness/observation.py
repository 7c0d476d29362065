"""What was seen: frozen values that expectations judge and reports print. Nothing here does input or output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Response:
    """One answer to one request, or the reason that there was none.

    ``headers`` keep their order and repetitions, names in lower case. ``app`` is what the application said reached
    it (``{"headers": [[name, value], ...], "method": ..., "path": ..., "port": ...}``), or None where the answer did
    not come from the application. ``status`` is None exactly when ``error`` is not empty. ``seconds`` is the time
    from connect to the last byte.
    """

    status: int | None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    app: Mapping[str, Any] | None = None
    error: str = ""
    seconds: float = 0.0

    def values(self, name: str) -> tuple[str, ...]:
        """All values of a header, in order; empty where it is absent."""
        return tuple(value for key, value in self.headers if key == name.lower())


@dataclass(frozen=True, slots=True)
class Gap:
    """The longest time, in seconds, between two successful answers, and when it began after the load's start."""

    seconds: float
    began: float


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What a steady stream of requests met.

    ``seen`` counts successful answers by watched header and value, under keys like ``x-filter-version: v1``.
    ``retried`` counts requests that were sent
    once more, on a new connection, since an idle one was closed under them (RFC 9110, 9.2.2): no failures.
    """

    sent: int
    failed: int
    failures: Sequence[str] = ()
    longest_gap: Gap | None = None
    seen: Mapping[str, int] = field(default_factory=dict)
    retried: int = 0


@dataclass(frozen=True, slots=True)
class Pushed:
    """A module that a registry holds: its reference, the manifest's digest and the module's own digest (hex)."""

    reference: str
    digest: str
    module_sha256: str


@dataclass(frozen=True, slots=True)
class Rollout:
    """A workload that was rolled over, or is about to be.

    ``generation`` is what the Deployment's ``.status.observedGeneration`` must reach, and ``pods`` are the names of its
    new pods, where it was waited for them.
    """

    workload: str
    generation: int
    pods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scaled:
    """A workload with another number of replicas than before."""

    before: int
    pods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """What was done to a mesh: a container lost its main process, ``nodes`` were changed, or what ``detail`` says.

    ``pid`` is what the process had on its node, ``restarts`` what the container's ``restartCount`` is once it is back.
    """

    nodes: tuple[str, ...] = ()
    pod: str = ""
    container: str = ""
    pid: int = 0
    restarts: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """A Helm release: its newest revision, and that one's status (``deployed``, ``failed``, ...)."""

    revision: int
    status: str
