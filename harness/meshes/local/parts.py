"""What a local mesh consists of while it is there: its folder, processes, network namespaces and passwords."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness.services.netns import Namespace
from harness.services.process import Process

REGISTRY_USER: Final = "harness"


@dataclass(slots=True)
class Parts:
    """What is there so far; what is missing is not up yet."""

    folder: Path
    processes: list[Process] = field(default_factory=list)
    namespaces: dict[str, Namespace] = field(default_factory=dict)
    credentials: tuple[str, str] = field(default_factory=lambda: (REGISTRY_USER, secrets.token_urlsafe(18)))

    def keep(self, started: Process) -> Process:
        """Remember a process, to watch and to end it."""
        self.processes.append(started)
        return started
