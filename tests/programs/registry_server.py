"""The real registry program (distribution v3) on a free loopback port, for the tests of one run."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import yaml

from harness.toolchain import binaries


@dataclass
class Server:
    """A running registry: ``host`` is 127.0.0.1:port, ``log`` its output, access log included."""

    host: str
    log: Path
    command: Sequence[str | Path]
    process: subprocess.Popen[bytes]

    def requests(self, method: str, path: str) -> int:
        """How many requests of a method to paths that hold ``path`` were answered."""
        return len(self._asked(method, path))

    def places(self, method: str, path: str) -> set[str]:
        """The paths, each once and without its query, that requests of a method went to."""
        return {asked.partition("?")[0] for asked in self._asked(method, path)}

    def _asked(self, method: str, path: str) -> list[str]:
        found: list[str] = re.findall(rf"\b{method} (/\S*)", self.log.read_text())
        return [asked for asked in found if path in asked]

    def kill(self) -> None:
        """End the program as a crash would, in the middle of whatever it does."""
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        """Start it again, at the same place and with the same blobs."""
        self.process = _start(self.command, self.log)
        _await_answer(self.process, int(self.host.partition(":")[2]), self.log)


@contextlib.contextmanager
def running(
    folder: Path, user: str = "", password: str = "", port: int = 0, auth: dict[str, object] | None = None
) -> Iterator[Server]:
    """Start a registry that keeps its blobs under ``folder``.

    It asks for a password where a user is given, else for what ``auth`` says in the words of its configuration.
    """
    program = binaries.ensure(["registry"], lambda _event: None).path("registry")
    port = port or free_port()
    config = folder / "config.yml"
    auth = auth or (_htpasswd(folder, user, password) if user else None)
    config.write_text(yaml.safe_dump(_config(folder, port) | ({"auth": auth} if auth else {})))
    with serving([program, "serve", config], folder / "registry.log", port) as server:
        yield server


@contextlib.contextmanager
def serving(command: Sequence[str | Path], log: Path, port: int) -> Iterator[Server]:
    """Run a registry's command line until the end of the block."""
    server = Server(f"127.0.0.1:{port}", log, command, _start(command, log))
    try:
        _await_answer(server.process, port, log)
        yield server
    finally:
        server.process.send_signal(signal.SIGTERM)
        try:
            server.process.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()


def _start(command: Sequence[str | Path], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
        return subprocess.Popen(list(command), stdout=output, stderr=output, env=environment)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _config(folder: Path, port: int) -> dict[str, object]:
    return {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(folder / "blobs")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": "of no account"},
        "log": {"accesslog": {"disabled": False}, "level": "error"},
    }


def _htpasswd(folder: Path, user: str, password: str) -> dict[str, object]:
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    (folder / "htpasswd").write_text(f"{user}:{hashed}\n")
    return {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}


def _await_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the registry died: {log.read_text()[-2000:]}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise AssertionError(f"the registry did not answer: {log.read_text()[-2000:]}")
