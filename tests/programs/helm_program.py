"""The real helm, with settings of its own, and what it makes of the chart."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Namespace

from harness.toolchain import binaries
from tests.programs import apiserver

CHART = Path(__file__).parents[2] / "charts" / "wasmer"


class Helm:
    """helm; it sees nothing of the user's own settings."""

    def __init__(self, folder: Path, kubeconfig: Path | None = None) -> None:
        self.program = binaries.ensure(["helm"], lambda _: None).path("helm")
        names = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")
        self.environment = {**os.environ, **{name: str(folder / name) for name in names}}
        self.environment["KUBECONFIG"] = str(kubeconfig or folder / "kubeconfig")

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """One call of it."""
        command = [self.program, *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )

    def ok(self, *arguments: str | Path) -> str:
        """What a call says that must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def objects(self, *arguments: str | Path) -> list[dict[str, Any]]:
        """What the chart installs, without the CRD."""
        return [obj for obj in self.everything(*arguments) if not _hook(obj)]

    def hooks(self, *arguments: str | Path) -> list[dict[str, Any]]:
        """What an uninstallation makes, and removes again."""
        return [obj for obj in self.everything(*arguments) if _hook(obj)]

    def everything(self, *arguments: str | Path) -> list[dict[str, Any]]:
        """Both."""
        text = self.ok("template", "release", CHART, *arguments)
        return [found for found in yaml.safe_load_all(text) if found]


def _hook(obj: dict[str, Any]) -> bool:
    return "helm.sh/hook" in (obj["metadata"].get("annotations") or {})


@contextlib.contextmanager
def clusters(folder: Path) -> Iterator[apiserver.Cluster]:
    """An API server with namespaces in which only restricted pods may run."""
    with apiserver.running(folder) as (cluster, _):
        for name in ("istio-system", "mesh"):
            labels = {"pod-security.kubernetes.io/enforce": "restricted"}
            cluster.admin.create(Namespace(metadata=ObjectMeta(name=name, labels=labels)))
        yield cluster


def kubectl(cluster: apiserver.Cluster, *arguments: str, given: str) -> subprocess.CompletedProcess[str]:
    """One call of the real kubectl by the cluster's administrator, with ``given`` on its stdin."""
    program = binaries.ensure(["kubectl"], lambda _: None).path("kubectl")
    command = [program, f"--kubeconfig={cluster.admin_kubeconfig()}", *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=60)
