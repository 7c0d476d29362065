"""What a local mesh consists of while it is there: its folder, processes, network namespaces and passwords."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness.meshes.local import disks
from harness.meshes.local.kubelet import Kubelet
from harness.services.netns import Namespace
from harness.services.process import Process

REGISTRY_USER: Final = "harness"


@dataclass(slots=True)
class Parts:
    """What is there so far; what is missing is not up yet. ``ports`` are those of the parts without a Pod."""

    folder: Path
    processes: list[Process] = field(default_factory=list)
    namespaces: dict[str, Namespace] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    kubelet: Kubelet = field(default_factory=Kubelet)
    credentials: tuple[str, str] = field(default_factory=lambda: (REGISTRY_USER, secrets.token_urlsafe(18)))

    def keep(self, started: Process) -> Process:
        """Remember a process, to watch and to end it."""
        self.processes.append(started)
        return started

    def forget(self, workload: str, ended: Sequence[Process]) -> None:
        """A workload is gone: its programs have ended, its network namespace and its folder go."""
        for one in ended:
            self.processes.remove(one)
        self.namespaces.pop(workload).close()
        folder = self.folder / workload
        if (folder / "data").is_mount():
            disks.remove(folder / "data")
        shutil.rmtree(folder)
