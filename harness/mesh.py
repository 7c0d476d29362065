"""What every mesh can be asked to do. Verbs know this protocol and no mesh; meshes know it and no verb.

A wish is a frozen value. A mesh raises ``Refused`` where the other side said no (an API server that rejects an
object, a registry that denies a push) and ``Broken`` where the mesh itself is not there any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from harness.observation import Fault, LoadResult, Pushed, Release, Response, Rollout, Scaled


class Refused(Exception):
    """The mesh answered, and the answer was no; the message is what the other side said."""


class Broken(Exception):
    """The mesh is not there: a process died or never answered. Ends the run with exit code 3."""


Action = Literal[
    "kill",
    "cordon",
    "uncordon",
    "down",
    "flap",
    "hang",
    "cut",
    "slow",
    "fill",
    "damage",
    "compact",
    "clock",
]


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """A Kubernetes object by apiVersion, kind, namespace and name."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class PushWish:
    """Send a module to a registry. Credentials are (user, password), or None for anonymous.

    It is checked first, and one that Envoy would not load is refused, unless ``force``.
    """

    module: bytes
    reference: str
    credentials: tuple[str, str] | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class RequestWish:
    """One HTTP request from a workload (by name) to a port of another workload. ``timeout`` is in seconds."""

    to: str
    port: int
    source: str = "client"
    method: str = "GET"
    path: str = "/"
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    timeout: float = 5.0


@dataclass(frozen=True, slots=True)
class LoadWish:
    """Steady requests, until stopped: on ``kept`` connections that stay open, and on a new connection each time.

    ``rate`` is requests a second over all of them, ``count`` their most. ``watch`` names headers whose values are
    counted.
    """

    request: RequestWish
    rate: float = 50.0
    count: int = 10_000
    kept: int = 2
    fresh: int = 2
    watch: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class RestartWish:
    """Roll a workload over: new pods come, then the old ones go, as ``kubectl rollout restart`` has it.

    Workloads are those of the scenarios, and the system's own: ``wasmer`` and ``autowasm-controller``.
    With ``wait`` it is over when only new pods are left and all are ready, which may take ``timeout`` seconds.
    """

    workload: str
    wait: bool = True
    timeout: float = 120.0


@dataclass(frozen=True, slots=True)
class ScaleWish:
    """Have so many replicas of a workload, and wait until they are ready. Workloads are those of ``RestartWish``."""

    workload: str
    replicas: int


@dataclass(frozen=True, slots=True)
class HelmWish:
    """Do something with the release of the wasmer chart.

    ``upgrade`` lays ``values`` over those that the release has, with the same chart; ``rollback`` goes to ``revision``
    (None: the one before); ``status`` changes nothing. With ``wait`` it is over when what changed is ready, which may
    take ``timeout`` seconds.
    """

    action: Literal["status", "upgrade", "rollback"]
    values: Mapping[str, Any] = field(default_factory=dict)
    revision: int | None = None
    wait: bool = True
    timeout: float = 120.0


@dataclass(frozen=True, slots=True)
class FaultWish:
    """Do harm to the mesh, as accidents do; with ``heal`` the same wish takes it back, once or more often.

    ``workload`` is one of ``RestartWish``, ``istiod``, or another part of the mesh: ``registry``,
    ``private-registry``, ``kube-apiserver``, ``etcd``. What may be done:

    - ``kill``: SIGKILL to the main process of a ``container`` (empty: the application's own) of a workload's pod, on
      its node: nothing is told to the process, and the kubelet finds out by itself. Of several pods it is the one that
      holds the Lease of the workload's name, else the first by name.
    - ``cordon`` makes every node unschedulable, ``uncordon`` takes that back.
    - ``down``: all of the workload is killed and stays away until it is healed. ``flap``: the same again and again,
      ``seconds`` down and as long up. ``hang``: it stops where it is (SIGSTOP).
    - ``cut``: nothing passes between the workload and another one (``to``), and nobody is told.
    - ``slow``: what is sent to the workload takes ``seconds`` each way, at ``rate`` bytes a second (0: no limit).
    - ``fill``: the disk that its data is on is full. ``damage``: a byte of each file of its data whose name has
      ``digest`` in it is another one.
    - ``compact``: etcd forgets all versions of objects but the newest.
    - ``clock``: the workload's clock of the day jumps by ``seconds``.

    ``kill``, ``compact`` and ``damage`` have nothing to take back.
    """

    action: Action
    workload: str = ""
    container: str = ""
    to: str = ""
    seconds: float = 0.0
    rate: float = 0.0
    digest: str = ""
    heal: bool = False


class Load(Protocol):
    """A running load."""

    def stop(self) -> LoadResult:
        """End it, wait for what is under way, and say what it met. A second call returns the same."""
        ...


class Mesh(Protocol):
    """A place where scenarios run.

    ``capabilities`` are the words that a scenario's ``requires`` may use: ``traffic`` (requests through filters),
    ``kubernetes`` (a real API server), ``envoy``, ``istio``, ``registry`` (a real OCI registry),
    ``private-registry`` (one that asks for a password), ``load``, ``pods`` (a kubelet runs the workloads, so that one
    can be restarted), ``mtls`` (sidecars take nothing but mutual TLS), ``outsider`` (a workload of this name that has
    no sidecar sends requests), ``helm`` (wasmer and controller are a release of the chart), ``faults`` (harm can be
    done to its nodes and what runs there), ``parts`` (harm can be done to each part of it: registries, control plane,
    disks, the network between two of them), ``clock`` (the clocks of some, too), ``replicas`` (workloads can be
    scaled).
    ``bindings`` are what scenarios may write as ``${name}``: ``registry``, ``private_registry``, ``registry_user``,
    ``registry_password``, ``namespace``.
    """

    @property
    def name(self) -> str:
        """What ``--mesh`` calls it."""
        ...

    @property
    def capabilities(self) -> frozenset[str]:
        """What scenarios may require of it."""
        ...

    @property
    def bindings(self) -> Mapping[str, str]:
        """What scenarios may write as ``${name}``."""
        ...

    def push(self, wish: PushWish) -> Pushed:
        """Push a module. Raises Refused with the tool's words."""
        ...

    def apply(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create or change one object (server-side apply) and return it as stored. Raises Refused."""
        ...

    def delete(self, target: ObjectRef) -> bool:
        """Delete one object; False where it was not there. Returns once the API server no longer has it."""
        ...

    def get(self, target: ObjectRef) -> Mapping[str, Any] | None:
        """Read one object, None where there is none."""
        ...

    def request(self, wish: RequestWish) -> Response:
        """Send one request. Never raises for what the other side does: that is a Response with ``error``."""
        ...

    def load(self, wish: LoadWish) -> Load:
        """Start a load."""
        ...

    def restart(self, wish: RestartWish) -> Rollout:
        """Roll a workload over. Raises Refused where nothing runs pods, or where it takes too long."""
        ...

    def scale(self, wish: ScaleWish) -> Scaled:
        """Have more or fewer replicas of a workload. Raises Refused where that cannot be."""
        ...

    def helm(self, wish: HelmWish) -> Release:
        """Look at the release of the wasmer chart, or change it. Raises Refused with helm's words."""
        ...

    def fault(self, wish: FaultWish) -> Fault:
        """Do harm, and wait for no effect. Raises Refused where the mesh lets nobody, or the aim is not there."""
        ...

    def collect(self, folder: Path) -> None:
        """Write what explains a failure into a folder: config_dump, stats, syncz, objects, process logs."""
        ...
