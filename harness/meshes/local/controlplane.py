"""etcd and kube-apiserver of a local mesh, on a given etcd data folder, and a client with all rights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.meshes.local import topology
from harness.services import etcd, kube_apiserver, kube_controller_manager, kubeconfig, login
from harness.services.kube import Api
from harness.services.pki import Authority, Pair
from harness.services.process import Process
from harness.toolchain.binaries import Toolchain

START_SECONDS: Final = 60.0

Keep = Callable[[Process], Process]


@dataclass(frozen=True, slots=True)
class Identity:
    """The keys of a run: its CA, and the harness's own client certificate (group system:masters)."""

    authority: Authority
    admin: Pair
    kubeconfig: Path


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """The client, and the two processes that it depends on."""

    api: Api
    etcd: Process
    apiserver: Process


def identity(folder: Path) -> Identity:
    """Make the keys of a run."""
    authority = Authority(folder)
    admin = authority.client("harness-admin", ["system:masters"])
    url = f"https://127.0.0.1:{topology.API_PORT}"
    return Identity(
        authority, admin, kubeconfig.with_certificate(folder / "admin.kubeconfig", url, authority.ca, admin)
    )


def start(toolchain: Toolchain, folder: Path, who: Callable[[], Identity], keep: Keep) -> ControlPlane:
    """Start both on the data in ``folder/etcd`` and wait until lists of objects work.

    kube-apiserver is started once etcd answers: where it meets a closed port, its client waits a second.
    """
    store = etcd.Etcd(toolchain.path("etcd"), folder / "etcd", folder / "etcd.log")
    etcd_process = keep(etcd.start(store))
    etcd_process.wait("must answer", lambda: etcd.healthy(store), START_SECONDS)
    server = kube_apiserver.ApiServer(
        toolchain.path("kube-apiserver"),
        store.url,
        folder / "apiserver",
        port=topology.API_PORT,
        advertise=topology.NODE_ADDRESS,
        bind="0.0.0.0",
    )
    apiserver = keep(kube_apiserver.start(server, who().authority))
    api = Api(login.with_certificate(server.url, who().authority.ca, who().admin))
    apiserver.wait("must answer a list of namespaces", api.answers, START_SECONDS)
    return ControlPlane(api, etcd_process, apiserver)


def start_controllers(toolchain: Toolchain, folder: Path, who: Identity, keep: Keep) -> Process:
    """Start kube-controller-manager."""
    binary = toolchain.path("kube-controller-manager")
    log = folder / "controllers" / "kube-controller-manager.log"
    manager = kube_controller_manager.ControllerManager(binary, who.kubeconfig, who.authority.ca, log)
    return keep(kube_controller_manager.start(manager))
