"""The controller as a process of its own, with the rights of its ServiceAccount and no others."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tests.programs import apiserver

INSTALL = "istio-system"
ACCOUNT = "autowasm-controller"


@dataclass
class Process:
    """A controller. ``data`` is its store, ``log`` what it wrote to stderr."""

    cluster: apiserver.Cluster
    data: Path
    log: Path
    flags: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    _starts: int = field(default=0)

    def start(self) -> None:
        """Start it and wait until it has seen the whole cluster."""
        command = [sys.executable, "-m", "autowasm.controller", "--listen=127.0.0.1:0", f"--data={self.data}"]
        kubeconfig = f"--kubeconfig={self.cluster.kubeconfig(INSTALL, ACCOUNT)}"
        environment = {**os.environ, "PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*command, kubeconfig, *self.flags], stderr=log, env=environment)
        self._starts += 1
        apiserver.converge(self._ready)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it; its exit code."""
        assert self.process is not None
        self.process.send_signal(how)
        code = self.process.wait(40)
        self.process = None
        return code

    def lines(self, message: str = "") -> list[dict[str, Any]]:
        """What it logged, all of it or with this message."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if message in ("", line["message"])]

    def complaints(self) -> list[str]:
        """What it wrote that no log line should be: warnings of Python, traces of faults of its own."""
        lines = self.log.read_text().splitlines()
        return [line for line in lines if not line.startswith("{") or "exception" in json.loads(line)]

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.lines('serving')[-1]['port']}"

    def get(self, path: str, token: str = "") -> httpx2.Response:
        """Ask it something."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx2.get(self.url + path, headers=headers, trust_env=False)

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-4000:]
        if len(self.lines("serving")) < self._starts:
            return False
        with contextlib.suppress(httpx2.HTTPError):
            return self.get("/readyz").status_code == 200
        return False


@contextlib.contextmanager
def running(cluster: apiserver.Cluster, folder: Path, *flags: str) -> Iterator[Process]:
    """A controller with an empty store, ended with the block where it still runs."""
    folder.mkdir(exist_ok=True)
    controller = Process(cluster, folder / "data", folder / "controller.log", flags)
    try:
        controller.start()
        yield controller
        assert not controller.complaints()
    finally:
        if controller.process is not None:
            controller.stop()  # in order, so that the next one need not wait for the Lease to lapse
