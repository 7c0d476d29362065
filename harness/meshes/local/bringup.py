"""How a local mesh comes up: what waits for what, everything else beside it.

    keys ----+
    etcd ----+--> API server --> istiod --+
    network --> app ----------------------+--> sidecar --> first request --> controllers, wasmer, the controller
    registries

What the first request does not need is started after it: on a small machine it would only take processor time away.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness.mesh import RequestWish
from harness.meshes.local import controlplane, template, topology, traffic
from harness.meshes.local.controlplane import ControlPlane, Identity
from harness.meshes.local.phases import Phases
from harness.meshes.local.topology import Workload
from harness.services import capture, envoy, init, istiod, kubeconfig, links, netns, process, registry
from harness.services.process import Process, Program
from harness.toolchain.binaries import Toolchain

START_SECONDS: Final = 60.0
TOKEN_AUDIENCE: Final = "autowasm-controller"
REGISTRY_USER: Final = "harness"


@dataclass(frozen=True, slots=True)
class Options:
    """Ports of the registries: inside they are the same as on the host, so that one reference holds for both."""

    registry_port: int = 5000
    private_registry_port: int = 5001


@dataclass(slots=True)
class Parts:
    """What is there so far; what is missing is not up yet."""

    folder: Path
    processes: list[Process] = field(default_factory=list)
    namespaces: dict[str, netns.Namespace] = field(default_factory=dict)
    credentials: tuple[str, str] = field(default_factory=lambda: (REGISTRY_USER, secrets.token_urlsafe(18)))

    def keep(self, started: Process) -> Process:
        """Remember a process, to watch and to end it."""
        self.processes.append(started)
        return started


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
        control = start(self._control_plane, installed, identity)
        network = start(self._network)
        registries = start(self._registries)
        app = start(self._app, network)
        pilot = start(self._istiod, control, identity)
        sidecar = start(self._sidecar, network, pilot)
        for part in (control, app, pilot, sidecar):
            part.result()
        with self._phases.phase("first request", "through the sidecar"):
            sidecar.result().wait("must let a request through", first, START_SECONDS)
        controllers = start(self._controllers, identity)
        system = start(self._system, control.result(), identity.result())
        for rest in (registries, controllers, system):
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
            opened = self._registry("registry", self._options.registry_port, None)
            closed = self._registry("private-registry", self._options.private_registry_port, self._parts.credentials)
            here = netns.own()
            for started, port in (
                (opened, self._options.registry_port),
                (closed, self._options.private_registry_port),
            ):
                started.wait("must accept", lambda port=port: here.accepts(("127.0.0.1", port)), START_SECONDS)

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
                app.wait("must accept", lambda port=port: namespace.accepts(("127.0.0.1", port)), START_SECONDS)
            return app

    def _istiod(self, control: Future[ControlPlane], identity: Future[Identity]) -> Process:
        control.result()
        with self._phases.phase("istiod"):
            folder = self._parts.folder / "istiod"
            settings = istiod.Istiod(self._toolchain.path("istiod"), identity.result().kubeconfig, folder)
            pilot = self._parts.keep(istiod.start(settings))
            here = netns.own()
            pilot.wait("must open its xDS port", lambda: here.accepts(("127.0.0.1", topology.XDS_PORT)), START_SECONDS)
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
            admin = ("127.0.0.1", envoy.ADMIN_PORT)
            started.wait("must open its admin port", lambda: namespace.accepts(admin), START_SECONDS)
            return started

    def _controllers(self, identity: Future[Identity]) -> None:
        with self._phases.phase("controllers", "kube-controller-manager"):
            controlplane.start_controllers(self._toolchain, self._parts.folder, identity.result(), self._parts.keep)

    def _system(self, control: ControlPlane, identity: Identity) -> None:
        with self._phases.phase("AutoWasm", "wasmer and the controller"):
            wasmer = self._wasmer(control)
            controller = self._controller(control, identity)
            for started, workload in ((wasmer, topology.WASMER), (controller, topology.CONTROLLER)):
                started.wait("must be ready", lambda workload=workload: self._ready(workload), START_SECONDS)

    def _wasmer(self, control: ControlPlane) -> Process:
        folder = self._parts.folder / "wasmer"
        folder.mkdir()
        token = folder / "token"
        token.write_text(control.api.token(topology.SYSTEM, topology.WASMER.account, TOKEN_AUDIENCE))
        url = f"http://autowasm-controller.{topology.SYSTEM}:{topology.CONTROLLER.ports['http']}"
        flags = [f"--data={folder / 'data'}", f"--controller={url}", f"--token-file={token}"]
        return self._program(topology.WASMER, "autowasm.wasmer", flags)

    def _controller(self, control: ControlPlane, identity: Identity) -> Process:
        folder = self._parts.folder / "controller"
        token = control.api.token(topology.SYSTEM, topology.CONTROLLER.account)
        url = f"https://{topology.NODE_ADDRESS}:{topology.API_PORT}"
        config = kubeconfig.with_token(folder / "kubeconfig", url, identity.authority.ca, token)
        flags = [f"--kubeconfig={config}", f"--data={folder / 'data'}", f"--install-namespace={topology.SYSTEM}"]
        return self._program(topology.CONTROLLER, "autowasm.controller", flags)

    def _program(self, workload: Workload, module: str, flags: list[str]) -> Process:
        argv = process.python(module, f"--listen=0.0.0.0:{workload.ports['http']}", *flags)
        log = self._parts.folder / workload.name / f"{workload.name}.log"
        namespace = self._parts.namespaces[workload.name]
        return self._parts.keep(process.start(Program(workload.name, argv, log, netns=namespace.path)))

    def _ready(self, workload: Workload) -> bool:
        wish = RequestWish(workload.name, workload.ports["http"], path="/readyz", timeout=1.0)
        return traffic.once(self._parts.namespaces[workload.name], "127.0.0.1", wish).status == 200
