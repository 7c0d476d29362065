"""istiod outside of a cluster: real configuration and xDS in plain text, no CA, no injector, no webhooks.

What an unmodified Envoy does not know (Istio's own filters) is switched off, and so is mTLS: sidecars have no agent
to fetch certificates with. Unknown flags are silently ignored by istiod: read its source before adding one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.services import process

_SETTINGS: Final[Mapping[str, str]] = {
    "POD_NAME": "istiod-0",
    "CLUSTER_ID": "Kubernetes",
    "ENABLE_LEADER_ELECTION": "false",
    "ENABLE_CA_SERVER": "false",
    "INJECT_ENABLED": "false",
    "PILOT_ENABLE_ALPN_FILTER": "false",
    "PILOT_ENABLE_GATEWAY_API": "false",
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "INJECTION_WEBHOOK_CONFIG_NAME": "",
    "VALIDATION_WEBHOOK_CONFIG_NAME": "",
}


@dataclass(frozen=True, slots=True)
class Istiod:
    """Its binary, who it is to the API server, its folder, the root namespace, its ports."""

    binary: Path
    kubeconfig: Path
    folder: Path
    namespace: str = "istio-system"
    xds_port: int = 15010
    http_port: int = 18080
    monitoring_port: int = 15014


def start(istiod: Istiod) -> process.Process:
    """Start it. It is ready when the xDS port accepts: istiod opens it after its first complete view."""
    istiod.folder.mkdir(parents=True, exist_ok=True)
    configuration = istiod.folder / "mesh.yaml"
    configuration.write_text(json.dumps(_mesh_config(istiod)))
    argv: list[str | Path] = [
        istiod.binary,
        "discovery",
        f"--kubeconfig={istiod.kubeconfig}",
        f"--meshConfig={configuration}",
        f"--grpcAddr=:{istiod.xds_port}",
        f"--httpAddr=:{istiod.http_port}",
        f"--monitoringAddr=:{istiod.monitoring_port}",
        "--httpsAddr=",
        "--secureGRPCAddr=",
        "--ctrlz_port=0",
        "--shutdownDuration=1s",
    ]
    env = {**_SETTINGS, "POD_NAMESPACE": istiod.namespace}
    log = istiod.folder / "istiod.log"
    return process.start(process.Program("istiod", argv, log, env, cwd=istiod.folder))


def _mesh_config(istiod: Istiod) -> dict[str, Any]:
    return {
        "trustDomain": "cluster.local",
        "rootNamespace": istiod.namespace,
        "enableAutoMtls": False,
        "ingressControllerMode": "OFF",
        "enableTracing": False,
        "accessLogFile": "/dev/stdout",
        # Checked for its form at start-up; sidecars here are given their address in their bootstrap.
        "defaultConfig": {"discoveryAddress": f"istiod.{istiod.namespace}.svc:15012"},
    }
