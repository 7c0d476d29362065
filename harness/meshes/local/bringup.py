"""How a local mesh comes up: what waits for what, everything else beside it.

    keys, etcd --> API server --> CRDs served --> istiod --> sidecar --> first request --> controllers
    network, app ---------+----------------------------------^
    registries            +--> wasmer, the controller

While the API server makes the storage of CRDs it keeps one processor busy: wasmer and the controller start on another.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from harness.meshes.local import controlplane, dns, replicas, running, template, topology
from harness.meshes.local.containers import Container
from harness.meshes.local.controlplane import ControlPlane, Identity
from harness.meshes.local.parts import Parts
from harness.meshes.local.running import START_SECONDS
from harness.meshes.local.system import System
from harness.meshes.phases import Phases
from harness.services import istiod, links, netns, registry
from harness.services.process import Process
from harness.toolchain.binaries import Toolchain


@dataclass(frozen=True, slots=True)
class Options:
    """Ports of the registries: inside they are the same as on the host, so that one reference holds for both."""

    registry_port: int = 5000
    private_registry_port: int = 5001


@dataclass(frozen=True, slots=True)
class Up:
    """What a mesh that is up goes on with: its control plane, and what starts more of wasmer and the controller."""

    control: ControlPlane
    system: System


class BringUp:
    """Starts everything into ``parts``; ``first`` is asked until it is true: the first request."""

    def __init__(self, toolchain: Toolchain, options: Options, parts: Parts, phases: Phases) -> None:
        self._toolchain = toolchain
        self._options = options
        self._parts = parts
        self._phases = phases

    def run(self, first: Callable[[], bool]) -> Up:
        """Bring the mesh up; returns when scenarios may run.

        Raises:
            Broken: a part did not come up; the first that failed is named.
        """
        start = self._phases.start
        installed = template.ensure(self._toolchain, self._parts.folder / "template", self._phases)
        identity = start(self._identity)
        control = start(self._control_plane, installed.etcd, identity)
        network = start(self._network)
        registries = start(self._registries)
        app = start(self._app, network)
        served = start(self._kinds, installed.kinds, control)
        system = start(self._system, control, identity, network)
        pilot = start(self._istiod, served, identity)
        sidecar = start(self._sidecar, network, pilot)
        for part in (control, served, app, pilot, sidecar):
            part.result()
        with self._phases.phase("first request", "through the sidecar"):
            sidecar.result().wait("must let a request through", first, START_SECONDS)
        self._controllers(identity.result())
        self._pod(topology.DETAILS, [app.result(), sidecar.result()])
        registries.result()
        return Up(control.result(), system.result())

    def _identity(self) -> Identity:
        with self._phases.phase("keys"):
            return controlplane.identity(self._parts.folder / "keys")

    def _control_plane(self, installed: Path, identity: Future[Identity]) -> ControlPlane:
        with self._phases.phase("API server"):
            template.copy(installed, self._parts.folder / "etcd")
            keep = self._parts.keep
            plane = controlplane.start(self._toolchain, self._parts.folder, identity.result, keep)
            self._part(plane.etcd, topology.ETCD_PORT)
            self._part(plane.apiserver, topology.API_PORT)
            return plane

    def _network(self) -> None:
        with self._phases.phase("network"):
            dns.begin()
            links.add_to_loopback(topology.NODE_ADDRESS)
            for workload in topology.WORKLOADS:
                running.lay(self._parts, workload)

    def _registries(self) -> None:
        with self._phases.phase("registries"):
            ports = self._options.registry_port, self._options.private_registry_port
            opened = self._registry("registry", ports[0], None)
            closed = self._registry("private-registry", ports[1], self._parts.credentials)
            for started, port in ((opened, ports[0]), (closed, ports[1])):
                running.await_port(started, netns.own(), port)
                self._part(started, port)

    def _registry(self, name: str, port: int, credentials: tuple[str, str] | None) -> Process:
        folder = self._parts.folder / name
        binary = self._toolchain.path("registry")
        served = registry.Registry(binary, folder, port, credentials=credentials)
        return self._parts.keep(registry.start(name, served))

    def _app(self, network: Future[None]) -> Process:
        network.result()
        with self._phases.phase("details", "the application"):
            return running.app(self._parts, topology.DETAILS)

    def _kinds(self, kinds: Sequence[template.Kind], control: Future[ControlPlane]) -> None:
        """List every custom resource once, before istiod and the controller do.

        The API server makes the storage of a custom resource at its first use, one after the other, and tells who
        asks meanwhile to come again in a whole second. Client-go obeys; this loop asks again at once.
        """
        plane = control.result()
        with self._phases.phase("CRDs", "served for the first time"):
            for one in kinds:
                serves = functools.partial(plane.api.serves, one.api_version, one.kind)
                plane.apiserver.wait(f"must serve {one.kind}", serves, START_SECONDS)

    def _istiod(self, served: Future[None], identity: Future[Identity]) -> Process:
        served.result()
        with self._phases.phase("istiod"):
            folder = self._parts.folder / "istiod"
            settings = istiod.Istiod(self._toolchain.path("istiod"), identity.result().kubeconfig, folder)
            pilot = self._parts.keep(istiod.start(settings))
            running.await_port(pilot, netns.own(), topology.XDS_PORT)
            self._part(pilot, topology.XDS_PORT)
            return pilot

    def _sidecar(self, network: Future[None], pilot: Future[Process]) -> Process:
        network.result()
        pilot.result()
        with self._phases.phase("sidecar"):
            return running.sidecar(self._parts, self._toolchain, topology.DETAILS)

    def _controllers(self, identity: Identity) -> None:
        with self._phases.phase("controllers", "kube-controller-manager"):
            controlplane.start_controllers(self._toolchain, self._parts.folder, identity, self._parts.keep)

    def _system(
        self, control: Future[ControlPlane], identity: Future[Identity], network: Future[None]
    ) -> System:
        api = control.result().api
        network.result()
        with self._phases.phase("AutoWasm", "wasmer and the controller"):
            system = System(self._parts, api, identity.result().authority.ca)
            workloads = (topology.WASMER, topology.CONTROLLER)
            programs = [system.start(workload) for workload in workloads]
            for workload, program in zip(workloads, programs, strict=True):
                system.await_ready(program, workload)
                self._pod(workload, [program])
            return system

    def _part(self, started: Process, port: int) -> None:
        ready = running.accepts(netns.own(), port)
        self._parts.ports[started.name] = port
        self._parts.kubelet.parts[started.name] = Container(started.name, started, ready)

    def _pod(self, workload: topology.Workload, programs: Sequence[Process]) -> None:
        self._parts.kubelet.pods[workload.name] = replicas.pod(self._parts, workload, programs)
