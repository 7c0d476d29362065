"""More replicas of a workload, or fewer, as a Deployment and a kubelet bring them about.

A new one gets a network namespace, a Pod and its programs, and is waited for. One that goes is named no more first,
then asked to end, and has a Pod's time for it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from harness.mesh import Refused
from harness.meshes.local import objects, running, topology
from harness.meshes.local.containers import Container
from harness.meshes.local.kubelet import Pod
from harness.meshes.local.parts import Parts
from harness.meshes.local.system import System
from harness.meshes.local.topology import Workload
from harness.observation import Scaled
from harness.services import envoy, kube, process
from harness.services.kube import Api
from harness.services.process import Process
from harness.toolchain.binaries import Toolchain

GRACE_SECONDS: Final = 30.0
MOST: Final = 200
"""Replicas of all workloads together: each has a /24 of its own below 10.99."""

_AT_ONCE: Final = 4
_FIRST_NUMBER: Final = len(topology.WORKLOADS) + 1


def pod(parts: Parts, workload: Workload, programs: Sequence[Process]) -> Pod:
    """The Pod of programs that run, in the order of its containers."""
    port = workload.ports["http"]
    first = (
        running.accepts(parts.namespaces[workload.name], port)
        if workload.base == topology.DETAILS.name
        else running.answers(parts, workload, port, "/readyz")
    )
    probes: list[Callable[[], bool]] = [first]
    if len(programs) > 1:
        probes.append(running.answers(parts, workload, envoy.ADMIN_PORT, "/ready"))
    names = objects.container_names(workload)
    return Pod(workload, [Container(*one) for one in zip(names, programs, probes, strict=True)])


@dataclass(slots=True)
class Replicas:
    """What makes and removes them."""

    parts: Parts
    toolchain: Toolchain
    api: Api
    system: System
    _numbers: itertools.count[int]

    @classmethod
    def of(cls, parts: Parts, toolchain: Toolchain, api: Api, system: System) -> Replicas:
        """For a mesh with one replica of each."""
        return cls(parts, toolchain, api, system, itertools.count(_FIRST_NUMBER))

    def scale(self, base: Workload, wanted: int) -> Scaled:
        """Have so many replicas of a workload, ready.

        Raises:
            Refused: there is no room for so many.
            Broken: one of them does not come up.
        """
        there = self.parts.kubelet.of(base)
        if wanted > MOST:
            raise Refused(f"replicas of {base.name}: must be at most {MOST}, {wanted} are wished")
        for one in reversed(there[wanted:]):
            self._remove(one.workload)
        new = [base.replica(index, next(self._numbers)) for index in range(len(there), wanted)]
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            list(pool.map(self._add, new))
        return Scaled(len(there), tuple(one.workload.pod for one in self.parts.kubelet.of(base)))

    def _add(self, workload: Workload) -> None:
        running.lay(self.parts, workload)
        self.api.apply(objects.pod(workload))
        if workload.base == topology.DETAILS.name:
            programs = [
                running.app(self.parts, workload),
                running.sidecar(self.parts, self.toolchain, workload),
            ]
            ready = running.answers(self.parts, workload, envoy.ADMIN_PORT, "/ready")
            programs[-1].wait("must be ready", ready, running.START_SECONDS)
        else:
            programs = [self.system.start(workload)]
            self.system.await_ready(programs[0], workload)
        self.parts.kubelet.add(pod(self.parts, workload, programs))

    def _remove(self, workload: Workload) -> None:
        target = kube.ref(objects.pod(workload))
        self.api.end_pod(target, grace=None)
        gone = self.parts.kubelet.remove(workload.name)
        process.stop_all([one.process for one in gone.containers], GRACE_SECONDS)
        self.api.end_pod(target, grace=0)
        self.parts.forget(workload.name, [one.process for one in gone.containers])
