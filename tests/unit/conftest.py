"""What unit tests of the harness share: a mesh in memory, a clock that tests move, a stage on both."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness import converge
from harness.mesh import (
    Broken,
    FaultWish,
    HelmWish,
    LoadWish,
    ObjectRef,
    PushWish,
    Refused,
    RequestWish,
    RestartWish,
    ScaleWish,
)
from harness.observation import Fault, Gap, LoadResult, Pushed, Release, Response, Rollout, Scaled
from harness.verbs.stage import Stage

AUTOWASM = {"apiVersion": "wasm.tcm.io/v1alpha1", "kind": "AutoWasm"}


@dataclass
class HandClock:
    """Time that passes when somebody sleeps, and a little at each look."""

    at: float = 100.0

    def now(self) -> float:
        """The time, a little later at each look."""
        self.at += 0.001
        return self.at

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.at += seconds


@dataclass
class MemoryLoad:
    result: LoadResult
    stopped: int = 0

    def stop(self) -> LoadResult:
        """Count the call and give the result."""
        self.stopped += 1
        return self.result


@dataclass
class MemoryMesh:
    """A small mesh with a mind: modules are lines ``name: value``, the headers that they add.

    An applied AutoWasm takes effect after ``lag`` requests, as a push through a real mesh takes time.
    ``broken`` ends it. ``refuse`` is a kind of objects that the API server says no to.
    """

    name: str = "memory"
    capabilities: frozenset[str] = frozenset({"traffic", "kubernetes", "registry", "load"})
    bindings: Mapping[str, str] = field(
        default_factory=lambda: {"registry": "registry.test:5000", "namespace": "default"}
    )
    lag: int = 0
    broken: bool = False
    refuse: str = ""
    stuck: bool = False  # objects cannot be deleted
    objects: dict[ObjectRef, dict[str, Any]] = field(default_factory=dict)
    modules: dict[str, bytes] = field(default_factory=dict)
    loads: list[MemoryLoad] = field(default_factory=list)
    load_result: LoadResult = field(default_factory=lambda: LoadResult(100, 0, (), Gap(0.02, 1.0)))
    on_request: Callable[[], None] = lambda: None
    pods: dict[str, int] = field(default_factory=lambda: {"details": 1, "wasmer": 1})  # by generation
    replicas: dict[str, int] = field(default_factory=dict)
    harms: list[FaultWish] = field(default_factory=list)
    revisions: list[Mapping[str, Any]] = field(default_factory=lambda: [{"replicas": 2}])
    cordoned: bool = False
    _pending: int = 0
    _active: dict[str, tuple[list[int], bytes]] = field(default_factory=dict)

    def _alive(self) -> None:
        if self.broken:
            raise Broken("the process is gone")

    def push(self, wish: PushWish) -> Pushed:
        """Keep the module under its reference."""
        self._alive()
        if wish.credentials == ("user", "wrong"):
            raise Refused("registry: UNAUTHORIZED: authentication required")
        self.modules[wish.reference] = wish.module
        digest = hashlib.sha256(wish.module).hexdigest()
        return Pushed(wish.reference, f"sha256:{digest[::-1]}", digest)

    def apply(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """Store the object; an AutoWasm gets its status at once and its effect later."""
        self._alive()
        if manifest["kind"] == self.refuse:
            raise Refused(f"admission: {self.refuse} is not wanted here")
        names, kind = manifest["metadata"], manifest["kind"]
        ref = ObjectRef(manifest["apiVersion"], kind, names.get("namespace", ""), names["name"])
        before = self.objects.get(ref, {}).get("metadata", {})
        generation = before.get("generation", 0) + 1
        stored = {**manifest, "metadata": {**names, "generation": generation, "uid": "u-1"}}
        if ref.kind == "AutoWasm":
            self._pending = self.lag
            stored["status"] = self._status(manifest)
        self.objects[ref] = stored
        return stored

    def _status(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        module = self.modules.get(manifest["spec"]["filter"]["source"]["registry"]["image"])
        if module is None or module.startswith(b"bad"):
            condition = {"type": "Verified", "status": "False", "message": "missing-import: env.nothing"}
            return {"phase": "Failed", "conditions": [{"type": "Pulled", "status": "True"}, condition]}
        return {"phase": "Synced", "conditions": [{"type": "Verified", "status": "True"}]}

    def delete(self, target: ObjectRef) -> bool:
        """Forget the object."""
        self._alive()
        if self.stuck:
            raise Refused(f"{target} has a finalizer")
        self._pending = self.lag
        return self.objects.pop(target, None) is not None

    def get(self, target: ObjectRef) -> Mapping[str, Any] | None:
        """Read the object."""
        self._alive()
        return self.objects.get(target)

    def request(self, wish: RequestWish) -> Response:
        """Answer with the headers of the filters that are in effect on the port."""
        self._alive()
        self.on_request()
        if wish.to != "details":
            return Response(None, error=f"name {wish.to} is unknown")
        if self._pending > 0:
            self._pending -= 1
        else:
            self._active = {
                ref.name: self._filter(item) for ref, item in self.objects.items() if "status" in item
            }
        added = [
            header
            for ports, module in self._active.values()
            if wish.port in ports
            for header in _lines(module)
        ]
        app = {
            "method": wish.method,
            "path": wish.path,
            "port": wish.port,
            "headers": [["Host", wish.to], *wish.headers, *added],
        }
        return Response(200, (("server", "memory"), *added), b'{"id":1}', app, seconds=0.001)

    def _filter(self, item: Mapping[str, Any]) -> tuple[list[int], bytes]:
        spec = item["spec"]["filter"]
        module = self.modules.get(spec["source"]["registry"]["image"], b"")
        return spec.get("applyPorts", [9080, 9081]), module

    def load(self, wish: LoadWish) -> MemoryLoad:  # noqa: ARG002 - the protocol's signature
        """Start a load whose result is known already."""
        self._alive()
        self.loads.append(MemoryLoad(self.load_result))
        return self.loads[-1]

    def restart(self, wish: RestartWish) -> Rollout:
        """Give the workload a pod of the next generation, which needs ten seconds to get ready."""
        self._alive()
        if wish.workload not in self.pods:
            raise Refused(f"workload {wish.workload}: there is none")
        self.pods[wish.workload] += 1
        if wish.wait and wish.timeout < 10:
            raise Refused(f"workload {wish.workload}: not ready within {wish.timeout:g} s")
        generation = self.pods[wish.workload]
        pods = (f"{wish.workload}-{generation}",) if wish.wait else ()
        return Rollout(wish.workload, generation, pods)

    def helm(self, wish: HelmWish) -> Release:
        """Keep a history of values."""
        self._alive()
        if wish.action == "upgrade":
            self.revisions.append({**self.revisions[-1], **wish.values})
        elif wish.action == "rollback":
            self.revisions.append(self.revisions[(wish.revision or len(self.revisions) - 1) - 1])
        return Release(len(self.revisions), "deployed")

    def scale(self, wish: ScaleWish) -> Scaled:
        """Have so many pods."""
        self._alive()
        before = self.replicas.get(wish.workload, 1)
        self.replicas[wish.workload] = wish.replicas
        return Scaled(before, tuple(f"{wish.workload}-{number}" for number in range(wish.replicas)))

    def fault(self, wish: FaultWish) -> Fault:
        """Kill processes of pods that are there; cordon the one node; remember all other harm until it is healed."""
        self._alive()
        if wish.action not in ("kill", "cordon", "uncordon"):
            if wish.heal:
                self.harms.remove(dataclasses.replace(wish, heal=False))
            else:
                self.harms.append(wish)
            return Fault(detail="healed" if wish.heal else "done")
        if wish.action != "kill":
            self.cordoned = wish.action == "cordon"
            return Fault(nodes=("memory-node",))
        if wish.workload not in self.pods:
            raise Refused(f"workload {wish.workload}: there is none")
        pod = f"{wish.workload}-{self.pods[wish.workload]}"
        return Fault(pod=pod, container=wish.container or wish.workload, pid=7, restarts=1)

    def collect(self, folder: Path) -> None:
        """Write the names of the objects."""
        self._alive()
        (folder / "objects.txt").write_text("\n".join(map(str, self.objects)), encoding="utf-8")


def _lines(module: bytes) -> list[tuple[str, str]]:
    pairs = (line.partition(": ") for line in module.decode().splitlines())
    return [(name, value) for name, colon, value in pairs if colon]


class MemorySources:
    """Modules and files by name."""

    def __init__(self) -> None:
        self.modules = {
            "good/hello-v1": b"hello: world\nx-filter-version: v1",
            "good/hello-v2": b"hello: world\nx-filter-version: v2",
            "bad/missing-import": b"bad",
        }
        self.files: dict[str, bytes] = {}

    def module(self, name: str, scenario: str) -> bytes:
        """A module by name."""
        if name not in self.modules:
            raise ValueError(f"no sample {name} for {scenario}")
        return self.modules[name]

    def file(self, name: str, scenario: str) -> bytes:
        """A file by name."""
        if name not in self.files:
            raise ValueError(f"no file {name} beside {scenario}")
        return self.files[name]


@pytest.fixture
def clock() -> converge.Clock:
    """A clock in hand."""
    hand = HandClock()
    return converge.Clock(hand.now, hand.sleep)


@pytest.fixture
def memory_mesh() -> MemoryMesh:
    """A mesh in memory."""
    return MemoryMesh()


@pytest.fixture
def memory_sources() -> MemorySources:
    """Modules and files in memory."""
    return MemorySources()


@pytest.fixture
def stage(memory_mesh: MemoryMesh, memory_sources: MemorySources, clock: converge.Clock) -> Stage:
    """A stage on the mesh in memory."""
    return Stage(memory_mesh, memory_sources, "x.yaml", clock)
