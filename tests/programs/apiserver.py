"""A real Kubernetes API server with its etcd on free loopback ports, for the tests of one run.

TLS, RBAC, CRD validation and TokenReview are the real ones; no other part of a cluster runs. Objects are made
as an administrator through ``Cluster.admin``; the system under test gets kubeconfigs of ServiceAccounts only.
"""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx2
import lightkube
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from lightkube import KubeConfig
from lightkube.config.models import Cluster as ClusterEntry
from lightkube.config.models import User
from lightkube.models.authentication_v1 import TokenRequestSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ServiceAccountToken

from harness.toolchain import binaries

T = TypeVar("T")

ADMIN_TOKEN = "admin-of-a-throw-away-cluster"
PROGRAMS = ("etcd", "kube-apiserver")


@dataclass(frozen=True)
class Cluster:
    """A running API server. ``ca`` is the file of the certificate that it shows."""

    url: str
    ca: Path
    folder: Path
    admin: lightkube.Client

    def token(self, namespace: str, account: str, audience: str | None = None) -> str:
        """A fresh token of a ServiceAccount, by TokenRequest."""
        spec = TokenRequestSpec(audiences=[audience] if audience else [], expirationSeconds=3600)
        request = ServiceAccountToken(metadata=ObjectMeta(), spec=spec)
        answer = self.admin.create(request, account, namespace=namespace)
        assert answer.status is not None
        return answer.status.token

    def kubeconfig(self, namespace: str, account: str) -> Path:
        """A kubeconfig file that acts as a ServiceAccount and as nobody else."""
        return self._kubeconfig(f"{namespace}-{account}", self.token(namespace, account))

    def admin_kubeconfig(self) -> Path:
        """A kubeconfig file that may do anything, for programs that administrators use."""
        return self._kubeconfig("admin", ADMIN_TOKEN)

    def _kubeconfig(self, name: str, token: str) -> Path:
        path = self.folder / f"{name}.kubeconfig"
        entry = {"server": self.url, "certificate-authority": str(self.ca)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": entry}],
            "users": [{"name": "test", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }
        path.write_text(yaml.safe_dump(config))
        return path


class Programs:
    """etcd and kube-apiserver in one folder, which may be stopped and started again with what they hold."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._toolchain = binaries.ensure(PROGRAMS, lambda _event: None)
        self._etcd_ports = (free_port(), free_port())
        self._port = free_port()
        self._running: list[subprocess.Popen[bytes]] = []
        _write_keys(folder)

    @property
    def url(self) -> str:
        """The API server's address."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def ca(self) -> Path:
        """The certificate to trust; the API server writes it when it starts first."""
        return self.folder / "apiserver.crt"

    def start(self) -> None:
        """Start both and wait until the API server says it is ready."""
        self._run("etcd", *self._etcd_flags())
        self._run("kube-apiserver", *self._apiserver_flags())
        converge(self._ready, within=90)

    def stop_apiserver(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End the API server only."""
        process = self._running.pop()
        process.send_signal(how)
        process.wait(30)

    def start_apiserver(self) -> None:
        """Start it again on the same port, with what etcd holds."""
        self._run("kube-apiserver", *self._apiserver_flags())
        converge(self._ready, within=90)

    def forget_history(self) -> None:
        """Compact etcd up to now and restart the API server: what happened before can be watched no more."""
        self.stop_apiserver()
        etcd = f"http://127.0.0.1:{self._etcd_ports[0]}/v3/kv"
        key = base64.b64encode(b"any").decode()
        revision = httpx2.post(f"{etcd}/range", json={"key": key}, trust_env=False).json()["header"][
            "revision"
        ]
        httpx2.post(f"{etcd}/compaction", json={"revision": revision}, trust_env=False).raise_for_status()
        self.start_apiserver()

    def stop(self) -> None:
        """End both: this state is thrown away, so nothing is worth waiting for."""
        while self._running:
            process = self._running.pop()
            process.kill()
            process.wait(30)

    def _run(self, name: str, *flags: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            command = [self._toolchain.path(name), *flags]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._running.append(process)

    def _ready(self) -> bool:
        for process in self._running:
            if process.poll() is not None:
                logs = "\n".join(path.read_text()[-2000:] for path in self.folder.glob("*.log"))
                raise AssertionError(f"{process.args!r} ended with {process.returncode}:\n{logs}")
        with contextlib.suppress(httpx2.HTTPError, OSError):
            trust = ssl.create_default_context(cafile=self.ca)
            return httpx2.get(f"{self.url}/readyz", verify=trust, trust_env=False).status_code == 200
        return False

    def _etcd_flags(self) -> list[str]:
        client, peer = (f"http://127.0.0.1:{port}" for port in self._etcd_ports)
        return [
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync=true",
            "--log-level=error",
        ]

    def _apiserver_flags(self) -> list[str]:
        return [
            f"--etcd-servers=http://127.0.0.1:{self._etcd_ports[0]}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--cert-dir={self.folder}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            f"--service-account-issuer={self.url}/",
            f"--service-account-key-file={self.folder / 'accounts.pub'}",
            f"--service-account-signing-key-file={self.folder / 'accounts.key'}",
            "--disable-admission-plugins=ServiceAccount",
            "--endpoint-reconciler-type=none",
            "--enable-priority-and-fairness=false",
        ]


@contextlib.contextmanager
def running(folder: Path) -> Iterator[tuple[Cluster, Programs]]:
    """A cluster of two programs, ended with the block."""
    programs = Programs(folder)
    try:
        programs.start()
        with contextlib.closing(_admin(programs)) as admin:
            yield Cluster(programs.url, programs.ca, folder, admin), programs
    finally:
        programs.stop()


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _admin(programs: Programs) -> lightkube.Client:
    entry = ClusterEntry(server=programs.url, certificate_auth=str(programs.ca))
    config = KubeConfig.from_one(cluster=entry, user=User(token=ADMIN_TOKEN))
    return lightkube.Client(config, field_manager="tests", trust_env=False)


def _write_keys(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "accounts.key").touch(0o600)
    (folder / "accounts.key").write_bytes(private)
    (folder / "accounts.pub").write_bytes(public)
    (folder / "tokens.csv").touch(0o600)
    (folder / "tokens.csv").write_text(f'{ADMIN_TOKEN},admin,1,"system:masters"{os.linesep}')


def converge(condition: Callable[[], T], within: float = 20.0) -> T:
    """The first true answer of the condition, asked again and again until then."""
    deadline = time.monotonic() + within
    while not (answer := condition()):
        assert time.monotonic() < deadline, (
            f"{condition.__qualname__}: did not hold within {within} s: {answer!r}"
        )
        time.sleep(0.01)
    return answer
