"""The real registry program (distribution v3) on a free loopback port, for the tests of one run."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import yaml

from harness.toolchain import binaries


@dataclass(frozen=True)
class Server:
    """A running registry: ``host`` is 127.0.0.1:port, ``log`` its output, access log included."""

    host: str
    log: Path
    process: subprocess.Popen[bytes]

    def requests(self, method: str, path: str) -> int:
        """How many requests of a method to paths that hold ``path`` were answered."""
        lines = self.log.read_text().splitlines()
        return sum(f'"{method} ' in line and path in line for line in lines)


@contextlib.contextmanager
def running(folder: Path, user: str = "", password: str = "", port: int = 0) -> Iterator[Server]:
    """Start a registry that keeps its blobs under ``folder``, with a password where a user is given."""
    program = binaries.ensure(["registry"], lambda _event: None).path("registry")
    port = port or free_port()
    config = folder / "config.yml"
    config.write_text(yaml.safe_dump(_config(folder, port, user, password)))
    log = folder / "registry.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [program, "serve", config],
            stdout=output,
            stderr=output,
            env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
        )
    try:
        _await_answer(process, port, log)
        yield Server(f"127.0.0.1:{port}", log, process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _config(folder: Path, port: int, user: str, password: str) -> dict[str, object]:
    config: dict[str, object] = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(folder / "blobs")}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": "of no account"},
        "log": {"accesslog": {"disabled": False}, "level": "error"},
    }
    if user:
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
        (folder / "htpasswd").write_text(f"{user}:{hashed}\n")
        config["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
    return config


def _await_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the registry died: {log.read_text()[-2000:]}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise AssertionError(f"the registry did not answer: {log.read_text()[-2000:]}")
