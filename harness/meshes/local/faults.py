"""Harm that is done to a local mesh: one function a kind of harm, which does it and returns how it is taken back.

What a harm ends is started again by the kubelet's stand-in; a program that ends by itself while its disk is full or
its network is cut is a consequence, and no end of the mesh.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from typing import Final

from harness.mesh import Action, FaultWish, ObjectRef, Refused
from harness.meshes.local import clocks, disks, objects, topology
from harness.meshes.local.containers import Container
from harness.meshes.local.kubelet import Kubelet, Pod
from harness.meshes.local.parts import Parts
from harness.observation import Fault
from harness.services import etcd, nft, slow
from harness.services.kube import Api
from harness.services.netns import Namespace, own

Undo = Callable[[], None]

_BACK_SECONDS: Final = 60.0
_NUMBERS: Final = itertools.count(1)


@dataclass(slots=True)
class Faults:
    """What can be done, and what has been done and not been taken back yet."""

    parts: Parts
    api: Callable[[], Api]
    _done: dict[FaultWish, Undo] = field(default_factory=dict)

    def __call__(self, wish: FaultWish) -> Fault:
        """Do harm, or take it back. Raises Refused."""
        if wish.action == "kill":
            return self._kill(wish)
        if wish.heal:
            return self._heal(wish)
        do = _KINDS.get(wish.action)
        if do is None:
            raise Refused(f"fault {wish.action}: local has no nodes, nothing is scheduled on any")
        if wish in self._done:
            raise Refused(f"fault {wish.action}: must be taken back before it is done again")
        harm = do(self, wish)
        if harm.undo:
            self._done[wish] = harm.undo
        return Fault(detail=harm.detail)

    @property
    def kubelet(self) -> Kubelet:
        """What watches the programs."""
        return self.parts.kubelet

    def pods(self, name: str) -> list[Pod]:
        """The Pods that a workload's name, or a Pod's own, means; none for a part without one. Raises Refused."""
        name = topology.NAMES.get(name, name)
        if name in topology.BASES:
            return self.kubelet.of(topology.BASES[name])
        if name in self.kubelet.pods:
            return [self.kubelet.pods[name]]
        if name in self.kubelet.parts:
            return []
        known = [*topology.BASES, *self.kubelet.parts]
        raise Refused(f"workload {name}: must be one of {', '.join(known)}")

    def containers(self, wish: FaultWish) -> list[Container]:
        """All containers that are meant. Raises Refused."""
        pods = self.pods(wish.workload)
        if not pods:
            return [self.kubelet.parts[wish.workload]]
        return [_container(pod, wish.container) for pod in pods]

    def places(self, name: str) -> list[Namespace]:
        """The network namespaces of a workload, or the node's."""
        return [self.parts.namespaces[pod.workload.name] for pod in self.pods(name)] or [own()]

    def _heal(self, wish: FaultWish) -> Fault:
        undo = self._done.pop(dataclasses.replace(wish, heal=False), None)
        if undo:
            undo()
        return Fault(detail="healed" if undo else "nothing to heal")

    def _kill(self, wish: FaultWish) -> Fault:
        pods = self.pods(wish.workload)
        if not pods:
            part = self.kubelet.parts[wish.workload]
            return Fault(container=part.name, pid=part.kill(), restarts=part.restarts + 1)
        pod = self._chosen(pods, wish.workload)
        one = _container(pod, wish.container)
        if not one.running:
            raise Refused(f"container {one.name} of pod {pod.workload.pod}: must run, is down")
        restarts = one.restarts + 1
        return Fault(pod=pod.workload.pod, container=one.name, pid=one.kill(), restarts=restarts)

    def _chosen(self, pods: Sequence[Pod], name: str) -> Pod:
        """The holder's Pod, else the first by number."""
        if name not in topology.NAMES:
            return pods[0]
        lease = ObjectRef("coordination.k8s.io/v1", "Lease", topology.SYSTEM, name)
        found = self.api().get(lease) or {}
        holder = str((found.get("spec") or {}).get("holderIdentity") or "").partition("_")[0]
        return next((pod for pod in pods if pod.workload.pod == holder), pods[0])


@dataclass(frozen=True, slots=True)
class Harm:
    """What was done, in words, and how it is taken back."""

    detail: str
    undo: Undo | None = None


def _down(faults: Faults, wish: FaultWish) -> Harm:
    harmed = faults.containers(wish)
    for one in harmed:
        one.hold()

    def undo() -> None:
        for one in harmed:
            one.release()
        if wish.workload in faults.kubelet.parts:
            _come_back(harmed)

    return Harm(f"{wish.workload} is away", undo)


def _come_back(released: Sequence[Container]) -> None:
    """Wait until what was away is there again: who heals it counts on it."""
    for one in released:
        if not one.await_back(_BACK_SECONDS):
            raise Refused(f"{one.name}: must be back within {_BACK_SECONDS:g} s")


def _flap(faults: Faults, wish: FaultWish) -> Harm:
    harmed = faults.containers(wish)
    over = threading.Event()

    def flap() -> None:
        while not over.is_set():
            for one in harmed:
                one.hold()
            over.wait(wish.seconds)
            for one in harmed:
                one.release()
            over.wait(wish.seconds)

    thread = threading.Thread(target=flap, daemon=True, name=f"flap-{wish.workload}")
    thread.start()

    def undo() -> None:
        over.set()
        thread.join()
        _come_back(harmed)

    return Harm(f"{wish.workload} is away for {wish.seconds:g} s, again and again", undo)


def _hang(faults: Faults, wish: FaultWish) -> Harm:
    harmed = faults.containers(wish)
    for one in harmed:
        one.harm()
        one.process.signal(Signals.SIGSTOP)

    def undo() -> None:
        for one in harmed:
            one.process.signal(Signals.SIGCONT)
            one.heal()

    return Harm(f"{wish.workload} stands still", undo)


def _cut(faults: Faults, wish: FaultWish) -> Harm:
    table = f"cut-{next(_NUMBERS)}"
    chains = _cut_chains(faults, wish.to)
    places = faults.places(wish.workload)
    if not faults.pods(wish.workload):
        raise Refused(f"cut {wish.workload}: must be a workload; name the other one as what it is cut from")
    for place in places:
        place.call(nft.add, table, chains)

    def undo() -> None:
        for place in places:
            with contextlib.suppress(RuntimeError):  # its workload was scaled away meanwhile
                place.call(nft.remove, table)

    return Harm(f"nothing passes between {wish.workload} and {wish.to}", undo)


def _cut_chains(faults: Faults, to: str) -> list[nft.Chain]:
    """Drop what goes to and comes from the Pods of a workload, or the port of a part."""
    pods = faults.pods(to)
    if pods:
        addresses = [pod.workload.address for pod in pods]
        sent = [[*nft.address("destination", one), *nft.drop()] for one in addresses]
        come = [[*nft.address("source", one), *nft.drop()] for one in addresses]
    else:
        port = faults.parts.ports[to]
        sent = [[*nft.tcp(), *nft.port("destination", port), *nft.drop()]]
        come = [[*nft.tcp(), *nft.port("source", port), *nft.drop()]]
    return [nft.Chain("output", nft.OUTPUT, sent), nft.Chain("input", nft.INPUT, come)]


def _slow(faults: Faults, wish: FaultWish) -> Harm:
    distance = slow.Distance(wish.seconds, wish.rate)
    pods = faults.pods(wish.workload)
    port = pods[0].workload.ports["http"] if pods else faults.parts.ports[wish.workload]
    ways = [slow.Slow(place, port, distance) for place in faults.places(wish.workload)]

    def undo() -> None:
        for way in ways:
            way.close()

    return Harm(f"{wish.seconds * 1000:g} ms each way to {wish.workload}", undo)


def _fill(faults: Faults, wish: FaultWish) -> Harm:
    harmed = faults.containers(wish)
    for one in harmed:
        one.harm()
    ballast = [disks.fill(folder) for folder in _data(faults, wish.workload)]

    def undo() -> None:
        for file in ballast:
            file.unlink()
        for one in harmed:
            one.heal()

    return Harm(f"no byte is left on the disk of {wish.workload}", undo)


def _damage(faults: Faults, wish: FaultWish) -> Harm:
    digest = wish.digest.removeprefix("sha256:")
    damaged = [file for folder in _data(faults, wish.workload) for file in disks.damage(folder, digest)]
    if not damaged:
        raise Refused(f"damage {wish.workload}: must keep a file with {digest[:12]} in its name, has none")
    return Harm(f"{len(damaged)} files")


def _compact(faults: Faults, wish: FaultWish) -> Harm:
    del faults, wish
    return Harm(f"up to revision {etcd.compact(topology.ETCD_PORT)}")


def _clock(faults: Faults, wish: FaultWish) -> Harm:
    """A program is started again with a clock of its own where it has none yet; then the clock jumps."""
    pods = faults.pods(wish.workload)
    undos = []
    for pod in pods:
        one = _container(pod, wish.container)
        undos.append(clocks.jump(one, faults.parts.folder / pod.workload.name, wish.seconds))

    def undo() -> None:
        for back in undos:
            back()

    return Harm(f"{wish.seconds:+g} s", undo)


_KINDS: Final[Mapping[Action, Callable[[Faults, FaultWish], Harm]]] = {
    "down": _down,
    "flap": _flap,
    "hang": _hang,
    "cut": _cut,
    "slow": _slow,
    "fill": _fill,
    "damage": _damage,
    "compact": _compact,
    "clock": _clock,
}


def _container(pod: Pod, name: str) -> Container:
    for one in pod.containers:
        if one.name == (name or pod.containers[0].name):
            return one
    names = ", ".join(objects.container_names(pod.workload))
    raise Refused(f"container {name} of pod {pod.workload.pod}: must be one of {names}")


def _data(faults: Faults, name: str) -> list[Path]:
    found = [faults.parts.folder / pod.workload.name / "data" for pod in faults.pods(name)]
    if not found or not all(folder.is_dir() for folder in found):
        raise Refused(f"workload {name}: must have a disk, as wasmer and the controller do")
    return found
