"""Runs the programs of a bring-up (kind, helm) so that it can be broken off: every one of them ends, and none begins.

What they say goes into a file; a failure quotes its last lines. A program ends where this process is killed.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness.mesh import Broken

_TAIL: Final = 12
DIES_WITH_US: Final = ("setpriv", "--pdeathsig", "KILL", "--")


@dataclass(frozen=True, slots=True)
class Program:
    """What to run: a word for messages, its arguments, where its words go, what is beside our environment."""

    what: str
    argv: Sequence[str | Path]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 300.0


class Tools:
    """Programs under way; ``over`` once they were broken off."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self.over = False

    def run(self, program: Program) -> None:
        """Run to the end. Raises Broken where it fails, takes too long or is broken off."""
        program.log.parent.mkdir(parents=True, exist_ok=True)
        with program.log.open("ab") as log:
            process = self._start(program, log.fileno())
            try:
                code = process.wait(program.timeout)
            except subprocess.TimeoutExpired:
                raise failure(program.what, f"no end within {program.timeout:.0f} s", program.log) from None
            finally:
                process.kill()
                process.wait()
                with self._lock:
                    self._running.discard(process)
        if code != 0:
            raise failure(program.what, f"exit code {code}", program.log)

    def _start(self, program: Program, output: int) -> subprocess.Popen[bytes]:
        with self._lock:
            if self.over:
                raise Broken(f"{program.what}: broken off")
            process = subprocess.Popen(
                [*DIES_WITH_US, *map(str, program.argv)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **program.environment},
            )
            self._running.add(process)
            return process

    def end(self) -> None:
        """End what runs, and let nothing begin any more."""
        with self._lock:
            self.over = True
            for process in self._running:
                process.terminate()


def end_written(pid_file: Path) -> None:
    """End a program that was started for us by a library and has written its id, if it is still our child."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(pid_file.read_text())
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        if parent == os.getpid():
            os.kill(pid, 15)


def failure(what: str, found: str, log: Path) -> Broken:
    """The error for a failed program: what was found, and its last words."""
    lines = log.read_text(errors="replace").splitlines()[-_TAIL:] if log.exists() else []
    told = "".join(f"\n    {line}" for line in lines)
    return Broken(f"{what}: must succeed: {found}{told}")
