"""kube-apiserver with TLS, an own CA, RBAC and ServiceAccount tokens: a cluster's, as far as an API client can see.

It has no kubelet or scheduler behind it, so the admission of Pods by ServiceAccount is off: Pods here are records of
workloads that the harness runs, not orders to run them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.services import process
from harness.services.pki import Authority

# Starting it is mostly allocation: without garbage collection up to a size that it has anyway, it takes a third less.
_QUICK_START: Final[Mapping[str, str]] = {"GOGC": "off", "GOMEMLIMIT": "600MiB"}

ISSUER: Final = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True, slots=True)
class ApiServer:
    """Its binary, its etcd, its folder (keys, log), its port, and one address beside 127.0.0.1 to be found at."""

    binary: Path
    etcd_url: str
    folder: Path
    port: int = 6443
    advertise: str = "127.0.0.1"
    bind: str = "127.0.0.1"

    @property
    def url(self) -> str:
        """Where clients in the same network namespace find it."""
        return f"https://127.0.0.1:{self.port}"


def start(server: ApiServer, authority: Authority) -> process.Process:
    """Start it. It is ready when the first list succeeds: ``Api.answers``."""
    serving = authority.server(
        "kube-apiserver", ["127.0.0.1", server.advertise, "localhost", "kubernetes.default.svc"]
    )
    tokens = authority.signing_pair("service-account")
    argv: list[str | Path] = [
        server.binary,
        f"--etcd-servers={server.etcd_url}",
        f"--secure-port={server.port}",
        f"--bind-address={server.bind}",
        f"--advertise-address={server.advertise}",
        f"--cert-dir={server.folder}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={authority.ca}",
        "--authorization-mode=RBAC",
        "--anonymous-auth=false",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={tokens.certificate}",
        f"--service-account-signing-key-file={tokens.key}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--allow-privileged=true",
        "--disable-admission-plugins=ServiceAccount",
        "--endpoint-reconciler-type=none",
    ]
    log = server.folder / "kube-apiserver.log"
    return process.start(process.Program("kube-apiserver", argv, log, _QUICK_START))
