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
from typing import Final

from harness.meshes.local import controlplane, system, template, topology
from harness.meshes.local.controlplane import ControlPlane, Identity
from harness.meshes.local.parts import Parts
from harness.meshes.local.topology import Workload
from harness.meshes.phases import Phases
from harness.services import capture, envoy, init, istiod, links, netns, process, registry
from harness.services.process import Process, Program
from harness.toolchain.binaries import Toolchain

START_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """Ports of the registries: inside they are the same as on the host, so that one reference holds for both."""

    registry_port: int = 5000
    private_registry_port: int = 5001


class BringUp:
    """Starts everything into ``parts``; ``first`` is asked until it is true: the first request."""

    def __init__(self, toolchain: Toolchain, options: Options, parts: Parts, phases: Phases) -> None:
        self._toolchain = toolchain
        self._options = options
        self._parts = parts
        self._phases = phases

    def run(self, first: Callable[[], bool]) -> ControlPlane:
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
        for rest in (registries, system):
            rest.result()
        return control.result()

    def _identity(self) -> Identity:
        with self._phases.phase("keys"):
            return controlplane.identity(self._parts.folder / "keys")

    def _control_plane(self, installed: Path, identity: Future[Identity]) -> ControlPlane:
        with self._phases.phase("API server"):
            template.copy(installed, self._parts.folder / "etcd")
            return controlplane.start(self._toolchain, self._parts.folder, identity.result, self._parts.keep)

    def _network(self) -> None:
        with self._phases.phase("network"):
            with init.HOSTS.open("a") as hosts:
                hosts.write(topology.hosts())
            links.add_to_loopback(topology.NODE_ADDRESS)
            for workload in topology.WORKLOADS:
                self._lay(workload)

    def _lay(self, workload: Workload) -> None:
        namespace = netns.create(workload.name)
        links.connect(namespace, links.Cable(workload.name, workload.gateway, workload.address))
        if workload is topology.DETAILS:
            namespace.call(capture.redirect_inbound)
        self._parts.namespaces[workload.name] = namespace

    def _registries(self) -> None:
        with self._phases.phase("registries"):
            ports = self._options.registry_port, self._options.private_registry_port
            opened = self._registry("registry", ports[0], None)
            closed = self._registry("private-registry", ports[1], self._parts.credentials)
            _accepts(opened, netns.own(), ports[0])
            _accepts(closed, netns.own(), ports[1])

    def _registry(self, name: str, port: int, credentials: tuple[str, str] | None) -> Process:
        folder = self._parts.folder / name
        binary = self._toolchain.path("registry")
        served = registry.Registry(binary, folder, port, credentials=credentials)
        return self._parts.keep(registry.start(name, served))

    def _app(self, network: Future[None]) -> Process:
        network.result()
        with self._phases.phase("details", "the application"):
            ports = [str(port) for port in topology.DETAILS.ports.values()]
            argv = process.python("harness.services.apps.details", *(f"--port={port}" for port in ports))
            log = self._parts.folder / "details" / "app.log"
            namespace = self._parts.namespaces["details"]
            app = self._parts.keep(process.start(Program("details", argv, log, netns=namespace.path)))
            for port in topology.DETAILS.ports.values():
                _accepts(app, namespace, port)
            return app

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
            _accepts(pilot, netns.own(), topology.XDS_PORT)
            return pilot

    def _sidecar(self, network: Future[None], pilot: Future[Process]) -> Process:
        network.result()
        pilot.result()
        with self._phases.phase("sidecar"):
            workload = topology.DETAILS
            namespace = self._parts.namespaces[workload.name]
            sidecar = envoy.Sidecar(
                binary=self._toolchain.path("envoy"),
                folder=self._parts.folder / "details",
                netns=namespace.path,
                pod=workload.pod,
                namespace=workload.namespace,
                service_account=workload.account,
                labels=workload.labels,
                address=workload.address,
                xds=(workload.gateway, topology.XDS_PORT),
            )
            started = self._parts.keep(envoy.start(sidecar))
            _accepts(started, namespace, envoy.ADMIN_PORT)
            return started

    def _controllers(self, identity: Identity) -> None:
        with self._phases.phase("controllers", "kube-controller-manager"):
            controlplane.start_controllers(self._toolchain, self._parts.folder, identity, self._parts.keep)

    def _system(
        self, control: Future[ControlPlane], identity: Future[Identity], network: Future[None]
    ) -> None:
        api = control.result().api
        network.result()
        with self._phases.phase("AutoWasm", "wasmer and the controller"):
            system.start(self._parts, api, identity.result().authority.ca)


def _accepts(started: Process, namespace: netns.Namespace, port: int) -> None:
    """Wait until a process takes connections on a port of its own loopback."""
    accepting = functools.partial(namespace.accepts, ("127.0.0.1", port))
    started.wait(f"must accept connections on port {port}", accepting, START_SECONDS)
