"""The system under test: wasmer and the controller as programs of their own, each in its network namespace.

They get what an installation gives them and nothing more: a ServiceAccount's token, a folder, addresses.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

from harness.mesh import RequestWish
from harness.meshes.local import topology
from harness.meshes.local.parts import Parts
from harness.meshes.local.topology import Workload
from harness.services import kubeconfig, process, traffic
from harness.services.kube import Api
from harness.services.process import Process, Program

TOKEN_AUDIENCE: Final = "autowasm-controller"
_READY_SECONDS: Final = 60.0


def start(parts: Parts, api: Api, ca: Path) -> None:
    """Start both and wait until they say they are ready.

    Raises:
        Broken: one of them ends or does not become ready.
    """
    wasmer = _wasmer(parts, api)
    controller = _controller(parts, api, ca)
    for started, workload in ((wasmer, topology.WASMER), (controller, topology.CONTROLLER)):
        started.wait("must be ready", functools.partial(_ready, parts, workload), _READY_SECONDS)


def _wasmer(parts: Parts, api: Api) -> Process:
    folder = parts.folder / topology.WASMER.name
    folder.mkdir()
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(api.token(topology.SYSTEM, topology.WASMER.account, TOKEN_AUDIENCE))
    url = f"http://autowasm-controller.{topology.SYSTEM}:{topology.CONTROLLER.ports['http']}"
    flags = [f"--data={folder / 'data'}", f"--controller={url}", f"--token-file={token}"]
    return _program(parts, topology.WASMER, "autowasm.wasmer", flags)


def _controller(parts: Parts, api: Api, ca: Path) -> Process:
    folder = parts.folder / topology.CONTROLLER.name
    token = api.token(topology.SYSTEM, topology.CONTROLLER.account)
    url = f"https://{topology.NODE_ADDRESS}:{topology.API_PORT}"
    config = kubeconfig.with_token(folder / "kubeconfig", url, ca, token)
    wasmer = f"http://wasmer-peers.{topology.SYSTEM}:{topology.WASMER.ports['http']}"
    flags = [f"--kubeconfig={config}", f"--data={folder / 'data'}", f"--install-namespace={topology.SYSTEM}"]
    flags += [f"--wasmer={wasmer}"]
    return _program(parts, topology.CONTROLLER, "autowasm.controller", flags)


def _program(parts: Parts, workload: Workload, module: str, flags: list[str]) -> Process:
    argv = process.python(module, f"--listen=0.0.0.0:{workload.ports['http']}", *flags)
    log = parts.folder / workload.name / f"{workload.name}.log"
    namespace = parts.namespaces[workload.name]
    return parts.keep(process.start(Program(workload.name, argv, log, netns=namespace.path)))


def _ready(parts: Parts, workload: Workload) -> bool:
    wish = RequestWish(workload.name, workload.ports["http"], path="/readyz", timeout=1.0)
    return traffic.once(parts.namespaces[workload.name].connect, "127.0.0.1", wish).status == 200
