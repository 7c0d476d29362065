"""The mesh without a mesh: requests through the simulated host, in milliseconds, on any machine.

One workload is modelled, Bookinfo's details (app=details, version=v1, ports 9080 and 9081) behind a
sidecar, and objects are a table. An AutoWasm object takes its module from what was pushed and goes where
its selector says. What needs a real API server, registry or proxy is not here, and ``capabilities`` says
so.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from harness import events
from harness.mesh import (
    FaultWish,
    HelmWish,
    Load,
    LoadWish,
    ObjectRef,
    PushWish,
    Refused,
    RequestWish,
    RestartWish,
    ScaleWish,
)
from harness.meshes import wishes
from harness.observation import Fault, Pushed, Release, Response, Rollout, Scaled
from harness.sim import exchange, sidecar, upstream, world

_KIND: Final = "AutoWasm"
_REGISTRY: Final = "registry.localhost:5000"
_NAMESPACE: Final = "default"
_ROOT_NAMESPACE: Final = "istio-system"
"""What is there reaches the workloads of all namespaces."""
_CLUSTER: Final = "inbound"
_WHY: Final = {
    "timeout": "timed out after {} s: a filter paused and never went on",
    "reset": "connection reset in the middle of the answer",
    "closed": "connection closed without an answer",
    "ended": "the whole Envoy ended itself, with all its connections: a filter made a call that ends it",
}
_CREATED: Final = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class _Workload:
    labels: Mapping[str, str]
    ports: tuple[int, ...]
    namespace: str = _NAMESPACE


_WORKLOADS: Final = {"details": _Workload({"app": "details", "version": "v1"}, (9080, 9081))}


@dataclass(slots=True)
class _Filter:
    """An AutoWasm object's module, running.

    A new one takes the place of an old one only once it has started.
    """

    slot: sidecar.Slot
    ports: tuple[int, ...]
    labels: Mapping[str, str]
    namespace: str
    rank: tuple[int, int, str, str]

    def applies(self, workload: _Workload, port: int) -> bool:
        near = self.namespace in (workload.namespace, _ROOT_NAMESPACE)
        selected = near and self.labels.items() <= workload.labels.items()
        return selected and (not self.ports or port in self.ports)


@dataclass(slots=True)
class _World:
    modules: dict[str, bytes] = field(default_factory=dict)
    objects: dict[ObjectRef, dict[str, Any]] = field(default_factory=dict)
    filters: dict[ObjectRef, _Filter] = field(default_factory=dict)
    versions: int = 0


class Sim:
    """The simulated mesh. Nothing is started, so entering it costs nothing."""

    name = "sim"
    capabilities = frozenset({"traffic"})

    def __init__(self, emit: events.Emit = lambda _: None) -> None:
        self._emit = emit
        self._world = _World()

    @property
    def bindings(self) -> Mapping[str, str]:
        """What scenarios may name."""
        return {"registry": _REGISTRY, "namespace": _NAMESPACE}

    def __enter__(self) -> Self:
        self._emit(events.PhaseStarted("simulate"))
        self._emit(events.PhaseEnded("simulate", 0.0, "nothing to start"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._world = _World()

    # ------------------------------------------------------------------ modules and objects

    def push(self, wish: PushWish) -> Pushed:
        """Keep a module under its reference, and under its digest."""
        sha256 = hashlib.sha256(wish.module).hexdigest()
        repository = (
            wish.reference.rpartition(":")[0] if ":" in wish.reference.rpartition("/")[2] else wish.reference
        )
        for reference in (wish.reference, f"{repository}@sha256:{sha256}"):
            self._world.modules[reference] = wish.module
        return Pushed(wish.reference, f"sha256:{sha256}", sha256)

    def apply(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """Keep an object; an AutoWasm object takes effect at once.

        Raises:
            Refused: it has no name, or an AutoWasm object lacks what it must have.
        """
        target = _reference(manifest)
        if target.kind == _KIND:
            wishes.read(manifest)
        before = self._world.objects.get(target)
        self._world.versions += 1
        stored: dict[str, Any] = copy.deepcopy(dict(manifest))
        stored["status"] = before["status"] if before else {}
        stored["metadata"] |= {"namespace": target.namespace, "resourceVersion": str(self._world.versions)}
        stored["metadata"] |= _born(stored, before, self._world.versions)
        self._world.objects[target] = stored
        if target.kind == _KIND:
            stored["status"] = self._bind(target, stored)
        return copy.deepcopy(stored)

    def _bind(self, target: ObjectRef, stored: Mapping[str, Any]) -> dict[str, Any]:
        wanted = wishes.read(stored)
        module = self._world.modules.get(wanted.source)
        generation = stored["metadata"]["generation"]
        running = target in self._world.filters
        if wanted.suspended:
            return _suspended(generation, stored["status"])
        if module is None:
            missing = f"{wanted.source} was not pushed"
            return _status(generation, running, [("Pulled", False, "NotFound", missing)])
        sha256 = hashlib.sha256(module).hexdigest()
        if wanted.sha256 not in ("", sha256):
            other = f"{wanted.source}: must hold sha256:{wanted.sha256}: holds sha256:{sha256}"
            return _status(generation, running, [("Pulled", False, "PinMismatch", other)])
        pulled = ("Pulled", True, "Pulled", wanted.source)
        try:
            slot = sidecar.Slot(world.World(), module, wanted.plugin)
        except world.NotSimulated as error:
            raise Refused(str(error)) from error
        if slot.error:
            return _status(generation, running, [pulled, ("Verified", False, "NotLoaded", slot.error)])
        found = _Filter(
            slot, wanted.ports, wanted.labels, target.namespace, (*wanted.rank, target.namespace, target.name)
        )
        self._world.filters[target] = found
        done = [
            pulled,
            ("Verified", True, "Verified", "; ".join(slot.notes)),
            ("Programmed", True, "Programmed", ""),
        ]
        return _status(generation, running, done) | {"digest": f"sha256:{sha256}"}

    def delete(self, target: ObjectRef) -> bool:
        """Forget an object and what it did."""
        self._world.filters.pop(target, None)
        return self._world.objects.pop(target, None) is not None

    def get(self, target: ObjectRef) -> Mapping[str, Any] | None:
        """An object as it is kept."""
        return copy.deepcopy(self._world.objects.get(target))

    # ------------------------------------------------------------------ traffic

    def request(self, wish: RequestWish) -> Response:
        """Send a request through the filters that apply, to the modelled application."""
        workload = _WORKLOADS.get(wish.to)
        if workload is None:
            return Response(None, error=f"no workload {wish.to!r}: sim has {', '.join(_WORKLOADS)}")
        if wish.port not in workload.ports:
            return Response(None, error=f"connection refused: {wish.to} does not listen at {wish.port}")
        chosen = [f for f in self._world.filters.values() if f.applies(workload, wish.port)]
        proxy = sidecar.Sidecar(world.World(), exchange.Route(_CLUSTER))
        proxy.world.clusters.answers[_CLUSTER] = _details(wish.port)
        proxy.slots.extend(found.slot for found in sorted(chosen, key=lambda found: found.rank))
        try:
            received = proxy.request(_sent(wish), wish.timeout * 1000)
        except world.NotSimulated as error:
            raise Refused(str(error)) from error
        if received.outcome != "response":
            return Response(None, error=_WHY[received.outcome].format(wish.timeout))
        reached = proxy.world.clusters.take()
        return _response(received, _seen(reached[0], wish.port) if reached else None)

    def load(self, wish: LoadWish) -> Load:
        """There is no time in this mesh, so there is no load."""
        del wish
        raise Refused("sim has no load: it sends one request at a time")

    def restart(self, wish: RestartWish) -> Rollout:
        """Nothing runs here, so there is nothing to restart."""
        del wish
        raise Refused("sim has no pods: nothing runs that could be restarted")

    def scale(self, wish: ScaleWish) -> Scaled:
        """Nothing runs here, so there is nothing to have more of."""
        del wish
        raise Refused("sim has no replicas: nothing runs")

    def helm(self, wish: HelmWish) -> Release:
        """Nothing is installed here."""
        del wish
        raise Refused("sim has no release of the wasmer chart: nothing is installed")

    def fault(self, wish: FaultWish) -> Fault:
        """Nothing runs here that could be harmed."""
        del wish
        raise Refused("sim has no nodes: nothing runs that could be killed or cordoned")

    def collect(self, folder: Path) -> None:
        """Write the objects and what the modules logged."""
        folder.mkdir(parents=True, exist_ok=True)
        objects = list(self._world.objects.values())
        (folder / "objects.json").write_text(json.dumps(objects, indent=2), encoding="utf-8")
        lines = [
            f"{target}: {line.level} {line.message}"
            for target, running in self._world.filters.items()
            for line in running.slot.world.logs
        ]
        (folder / "filters.log").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _reference(manifest: Mapping[str, Any]) -> ObjectRef:
    metadata = manifest.get("metadata") or {}
    if not (manifest.get("apiVersion") and manifest.get("kind") and metadata.get("name")):
        raise Refused("an object must have apiVersion, kind and metadata.name")
    namespace = metadata.get("namespace", _NAMESPACE)
    return ObjectRef(manifest["apiVersion"], manifest["kind"], namespace, metadata["name"])


def _born(stored: Mapping[str, Any], before: Mapping[str, Any] | None, version: int) -> dict[str, Any]:
    """What an API server keeps from the first version on; the generation counts changes of the spec."""
    if before is None:
        return {"uid": f"sim-{version}", "creationTimestamp": _CREATED, "generation": 1}
    kept = {key: before["metadata"][key] for key in ("uid", "creationTimestamp", "generation")}
    kept["generation"] += before.get("spec") != stored.get("spec")
    return kept


def _suspended(generation: int, before: Mapping[str, Any]) -> dict[str, Any]:
    """All that was known stays, and so does the filter."""
    said = _status(generation, running=False, conditions=[("Suspended", True, "Suspended", "")])
    others = [item for item in before.get("conditions") or () if item["type"] != "Suspended"]
    told = {"observedGeneration": generation, "conditions": [*others, *said["conditions"]]}
    return {"phase": "Pending", **before, **told}


def _status(generation: int, running: bool, conditions: list[tuple[str, bool, str, str]]) -> dict[str, Any]:
    refused = "Degraded" if running else "Failed"  # degraded: the version before is still at work
    phase = "Synced" if all(status for _, status, _, _ in conditions) else refused
    return {
        "phase": phase,
        "observedGeneration": generation,
        "conditions": [
            {
                "type": kind,
                "status": str(status),
                "reason": reason,
                "message": message,
                "lastTransitionTime": _CREATED,
            }
            for kind, status, reason, message in conditions
        ],
    }


def _sent(wish: RequestWish) -> exchange.Request:
    given = any(name.lower() == "host" for name, _ in wish.headers)
    headers = [] if given else [("host", f"{wish.to}:{wish.port}")]
    headers += [(name, value) for name, value in wish.headers]
    headers += [("content-length", str(len(wish.body)))] if wish.body else []
    pairs = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers)
    return exchange.Request(wish.method, wish.path, pairs, (wish.body,) if wish.body else None)


def _details(port: int) -> upstream.Answer:
    def answer(request: upstream.Arrived) -> upstream.Reply:
        path = request.path.partition("?")[0]
        number = path.removeprefix("/details/")
        found = path.startswith("/details/") and number.isdigit()
        book: dict[str, Any] = {"id": int(number), "author": "William Shakespeare"} if found else {}
        body = json.dumps(book | {"request": _seen(request, port)}).encode()
        headers = ((b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()))
        return upstream.Reply(200 if found else 404, headers, (body,))

    return answer


def _seen(request: upstream.Arrived, port: int) -> dict[str, Any]:
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers]
    return {"method": request.method, "path": request.path, "port": port, "headers": headers}


def _response(received: exchange.Received, app: Mapping[str, Any] | None) -> Response:
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in received.headers)
    return Response(received.status, headers, bytes(received.body), app)
