"""kubectl and helm, run for one cluster: their output, or their own words where they refuse."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.mesh import HelmWish, Refused
from harness.meshes.cluster.settings import RELEASE, Settings
from harness.observation import Release
from harness.services import process

_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl for one cluster."""

    binary: Path
    settings: Settings

    def __call__(self, *arguments: str, timeout: float = _SECONDS) -> bytes:
        """Run a command and return its output. Raises Refused."""
        context = [f"--context={self.settings.context}"] if self.settings.context else []
        command = [str(self.binary), f"--kubeconfig={self.settings.kubeconfig}", *context, *arguments]
        return _run("kubectl", command, {}, timeout)


@dataclass(frozen=True, slots=True)
class Helm:
    """helm for one release of one cluster; it sees nothing of the user's own settings of helm."""

    binary: Path
    settings: Settings

    def __call__(self, wish: HelmWish) -> Release:
        """Do what is wished, and say how the release is afterwards. Raises Refused."""
        if wish.action == "upgrade":
            self._upgrade(wish)
        elif wish.action == "rollback":
            revision = [str(wish.revision)] if wish.revision else []
            self._run(["rollback", RELEASE, *revision, *_patience(wish)], wish.timeout)
        told = json.loads(self._run(["status", RELEASE, "--output=json"], 0.0))
        return Release(int(told["version"]), str(told["info"]["status"]))

    def _upgrade(self, wish: HelmWish) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as values:
            json.dump(wish.values, values)
            values.flush()
            over = ["--reuse-values", f"--values={values.name}"]
            command = ["upgrade", RELEASE, str(self.settings.chart), *over, *_patience(wish)]
            self._run(command, wish.timeout)

    def _run(self, arguments: Sequence[str], timeout: float) -> bytes:
        context = [f"--kube-context={self.settings.context}"] if self.settings.context else []
        where = [f"--kubeconfig={self.settings.kubeconfig}", *context, f"--namespace={self.settings.system}"]
        with tempfile.TemporaryDirectory(prefix="harness-helm-") as folder:
            own = {f"HELM_{kind}_HOME": folder for kind in ("CACHE", "CONFIG", "DATA")}
            return _run(
                f"helm {arguments[0]}", [str(self.binary), *arguments, *where], own, timeout + _SECONDS
            )


def _patience(wish: HelmWish) -> list[str]:
    return ["--wait", f"--timeout={wish.timeout:.0f}s"] if wish.wait else []


def _run(name: str, command: Sequence[str], extra: Mapping[str, str], timeout: float) -> bytes:
    done = process.ended(name, command, extra, timeout)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise Refused(f"{name}: {said or f'exit code {done.returncode}'}")
    return done.stdout
