"""The system under test: wasmer and the controller as programs of their own, each in its network namespace.

They get what an installation gives them and nothing more: a ServiceAccount's token, a folder, addresses, a host name.
Their data lies on a small disk of its own, which can be full without anybody else's being so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.meshes.local import disks, running, topology
from harness.meshes.local.parts import Parts
from harness.meshes.local.topology import Workload
from harness.services import kubeconfig, process
from harness.services.kube import Api
from harness.services.process import Process, Program

TOKEN_AUDIENCE: Final = "autowasm-controller"
DISK_MEGABYTES: Final = 64

_READY_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class System:
    """Starts replicas: where they are kept, and what they are told of the cluster."""

    parts: Parts
    api: Api
    ca: Path

    def start(self, workload: Workload) -> Process:
        """Start one replica of wasmer or of the controller; see ``await_ready``."""
        data = self.parts.folder / workload.name / "data"
        data.mkdir(parents=True)
        disks.small(data, DISK_MEGABYTES)
        how = self._wasmer if workload.base == topology.WASMER.name else self._controller
        return how(workload, data)

    def probe(self, workload: Workload) -> Callable[[], bool]:
        """Whether it says that it is ready."""
        return running.answers(self.parts, workload, workload.ports["http"], "/readyz")

    def await_ready(self, started: Process, workload: Workload) -> None:
        """Wait until a replica says that it is ready. Raises Broken where it ends or does not become so."""
        started.wait("must be ready", self.probe(workload), _READY_SECONDS)

    def _wasmer(self, workload: Workload, data: Path) -> Process:
        token = data.parent / "token"
        token.touch(mode=0o600)
        token.write_text(self.api.token(topology.SYSTEM, workload.account, TOKEN_AUDIENCE))
        controller = f"http://autowasm-controller.{topology.SYSTEM}:{topology.CONTROLLER.ports['http']}"
        flags = [f"--controller={controller}", f"--peer={_PEERS}", f"--token-file={token}"]
        return self._program(workload, "autowasm.wasmer", data, flags)

    def _controller(self, workload: Workload, data: Path) -> Process:
        token = self.api.token(topology.SYSTEM, workload.account)
        url = f"https://{topology.NODE_ADDRESS}:{topology.API_PORT}"
        config = kubeconfig.with_token(data.parent / "kubeconfig", url, self.ca, token)
        flags = [f"--kubeconfig={config}", f"--install-namespace={topology.SYSTEM}", f"--wasmer={_PEERS}"]
        return self._program(workload, "autowasm.controller", data, flags)

    def _program(self, workload: Workload, module: str, data: Path, flags: list[str]) -> Process:
        listen = f"--listen=0.0.0.0:{workload.ports['http']}"
        argv = process.python(module, listen, f"--data={data}", *flags)
        log = data.parent / f"{workload.name}.log"
        where = self.parts.namespaces[workload.name].path
        program = Program(workload.name, argv, log, netns=where, hostname=workload.pod)
        return self.parts.keep(process.start(program))


_PEERS: Final = f"http://wasmer-peers.{topology.SYSTEM}:{topology.WASMER.ports['http']}"
