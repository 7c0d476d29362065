"""A wasmer as a process of its own, which may be killed and started again over its store."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2

from tests.programs import apiserver


class Process:
    """A running wasmer."""

    def __init__(self, folder: Path, *flags: str) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self._log = folder / "wasmer.log"
        command = [
            sys.executable,
            "-m",
            "autowasm.wasmer",
            "--listen=127.0.0.1:0",
            f"--data={folder / 'data'}",
        ]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen([*command, *flags], stderr=log)
        self.url = f"http://127.0.0.1:{apiserver.converge(self._port)}"

    def get(self, sha256: str) -> httpx2.Response:
        """Ask for a module, as a sidecar does."""
        return httpx2.get(f"{self.url}/wasm/{sha256}", trust_env=False, timeout=20)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(40)

    def _port(self) -> int:
        assert self.process.poll() is None, self._log.read_text()
        lines = [line for line in self._log.read_text().splitlines() if '"serving"' in line]
        return int(json.loads(lines[0])["port"]) if lines else 0


@contextlib.contextmanager
def running(folder: Path, *flags: str) -> Iterator[Process]:
    """A wasmer, ended with the block."""
    wasmer = Process(folder, *flags)
    try:
        yield wasmer
    finally:
        wasmer.stop(signal.SIGKILL)
