"""kube-controller-manager with the controllers that an API client can tell the absence of, and no others.

Without them deleted namespaces stay, owned objects are not collected, new namespaces have no default ServiceAccount
and no CA ConfigMap, and EndpointSlices do not follow Pods.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.services import process

CONTROLLERS: Final = (
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "endpointslice-controller",
    "root-ca-certificate-publisher-controller",
)


@dataclass(frozen=True, slots=True)
class ControllerManager:
    """Its binary, who it is to the API server, the CA that it publishes, its log and its loopback port."""

    binary: Path
    kubeconfig: Path
    ca: Path
    log: Path
    port: int = 10257


def start(manager: ControllerManager) -> process.Process:
    """Start it; its work shows in the objects it makes."""
    argv: list[str | Path] = [
        manager.binary,
        f"--kubeconfig={manager.kubeconfig}",
        f"--root-ca-file={manager.ca}",
        f"--controllers={','.join(CONTROLLERS)}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={manager.port}",
        f"--cert-dir={manager.log.parent}",
    ]
    return process.start(process.Program("kube-controller-manager", argv, manager.log))
