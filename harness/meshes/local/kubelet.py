"""Stands in for a kubelet and for the cluster's DNS: what ends is started again, and who is ready is told.

    container ended or not ready --> Pod's status --> (endpointslice controller) --> istiod
                                 \\-> the names of Services, for those that ask by name

It runs from the end of the bring-up on. An API server that is away is told later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from harness.mesh import Broken, Refused
from harness.meshes.local import dns, objects, topology
from harness.meshes.local.containers import TICK, Container
from harness.meshes.local.topology import Workload
from harness.services import kube
from harness.services.kube import Api

_CONTROL_PLANE: Final = ("etcd", "kube-apiserver")


@dataclass(slots=True)
class Pod:
    """A workload that runs: its containers, the application's own first."""

    workload: Workload
    containers: list[Container] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        """Whether all of its containers are."""
        return all(one.ready for one in self.containers)

    def status(self) -> objects.Object:
        """What a kubelet says of it."""
        states = [
            objects.State(one.name, one.running, ready=one.ready, restarts=one.restarts, started=one.started)
            for one in self.containers
        ]
        return objects.pod_status(self.workload, states)


class Kubelet:
    """Watches the Pods and the parts beside them; ``parts`` are containers without a Pod, by their names."""

    def __init__(self) -> None:
        self.pods: dict[str, Pod] = {}
        self.parts: dict[str, Container] = {}
        self._api: Callable[[], Api] | None = None
        self._lock = threading.Lock()
        self._untold: set[str] = set()
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="kubelet")

    def begin(self, api: Callable[[], Api]) -> None:
        """Begin to watch, and to tell."""
        self._api = api
        for pod in self.pods.values():
            self._watch(pod)
        for part in self.parts.values():
            part.watch()
        self._thread.start()

    def end(self) -> None:
        """Start nothing more."""
        self._left.set()
        for one in self.containers():
            one.leave()
        if self._thread.is_alive():
            self._thread.join()

    def containers(self) -> list[Container]:
        """All that are watched."""
        with self._lock:
            pods = list(self.pods.values())
        return [*(one for pod in pods for one in pod.containers), *self.parts.values()]

    def check(self) -> None:
        """Raise Broken where something has ended and nobody had brought that about."""
        for one in self.containers():
            if one.lost:
                one.process.check()

    def control_plane_troubled(self) -> bool:
        """Whether the API server may be away for a while, since it or its etcd was harmed."""
        return any(one.troubled for name, one in self.parts.items() if name in _CONTROL_PLANE)

    def of(self, base: Workload) -> list[Pod]:
        """The Pods of a workload, by number."""
        with self._lock:
            return [pod for pod in self.pods.values() if pod.workload.base == base.name]

    def ready(self, base: Workload) -> list[Pod]:
        """Those of them that are ready."""
        return [pod for pod in self.of(base) if pod.ready]

    def add(self, pod: Pod) -> None:
        """Watch one more."""
        with self._lock:
            self.pods[pod.workload.name] = pod
        self._watch(pod)

    def remove(self, name: str) -> Pod:
        """Watch one no more; its programs still run, and its name is nobody's already."""
        with self._lock:
            pod = self.pods.pop(name)
        self.tell_names()
        for one in pod.containers:
            one.leave()
        return pod

    def tell_names(self) -> None:
        """Have the names of Services mean the Pods that are ready."""
        addresses = {
            base.name: [pod.workload.address for pod in self.ready(base)] for base in topology.WORKLOADS
        }
        dns.write(addresses)

    def _watch(self, pod: Pod) -> None:
        name = pod.workload.name
        for one in pod.containers:
            one.changed = lambda: self._changed(name)
            one.watch()
        self._changed(name)

    def _changed(self, name: str) -> None:
        self.tell_names()
        with self._lock:
            self._untold.add(name)

    def _run(self) -> None:
        while not self._left.wait(TICK):
            with self._lock:
                names, self._untold = self._untold, set()
            for name in names:
                if not self._told(name):
                    with self._lock:
                        self._untold.add(name)

    def _told(self, name: str) -> bool:
        pod = self.pods.get(name)
        assert self._api
        if pod is None:
            return True
        try:
            self._api().patch_status(kube.ref(objects.pod(pod.workload)), pod.status())
        except Refused:  # the Pod is gone
            return True
        except Broken:
            return False
        return True
