"""Throughput of a wasmer beside nginx: modules of 300 KB and 4 MB, 64 connections, one worker each, turn by turn.

The load comes from wrk, which costs less than either server does. Both run with what a user would set: nginx with
sendfile (its worker alone: a master process would change the user, which a user namespace forbids), wasmer with no
bound on the rate of one address, since all of the load is one address. Without nginx or wrk nothing is measured, and
it is said how to get them.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from autowasm.digest import Digest

SIZES: Final = {"300 KB": 300_000, "4 MB": 4_000_000}
CONNECTIONS: Final = 64
TURNS: Final = 7
SECONDS: Final = 2
_PATIENCE: Final = 20.0

_NGINX: Final = """
user root root;
worker_processes 1;
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  sendfile on;
  tcp_nopush on;
  access_log off;
  default_type application/wasm;
  client_body_temp_path {folder}/nginx;
  proxy_temp_path {folder}/nginx;
  fastcgi_temp_path {folder}/nginx;
  uwsgi_temp_path {folder}/nginx;
  scgi_temp_path {folder}/nginx;
  server {{ listen 127.0.0.1:{port}; location /wasm/ {{ alias {folder}/data/sha256/; }} }}
}}
"""


def main(out: Path) -> None:
    """Measure, and write the series: seconds for a thousand requests."""
    missing = [name for name in ("nginx", "wrk") if _program(name) is None]
    if missing:
        print(
            f"NOT RUN: serving: {' and '.join(missing)} missing; on Debian: apt-get install nginx-light wrk"
        )
        out.write_text("[]")
        return
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        digests = {size: _module(folder, length) for size, length in SIZES.items()}
        with _wasmer(folder) as (pid, ours), _nginx(folder) as theirs:
            for turn in range(TURNS * len(SIZES)):
                size = list(SIZES)[turn % len(SIZES)]
                pair = [("wasmer", ours), ("nginx", theirs)]
                for who, base in pair if turn % 4 < 2 else pair[::-1]:
                    took = 1000 / _rate(f"{base}/wasm/{digests[size].hex}")
                    found.setdefault(f"1,000 modules of {size}, {CONNECTIONS} connections: {who}", []).append(
                        took
                    )
            memory = _memory(pid)
    rows: list[dict[str, Any]] = [
        {"name": what, "seconds": took, "notes": {}} for what, took in found.items()
    ]
    rows[0]["notes"] = {"memory_of_wasmer_mib": memory}
    out.write_text(json.dumps(rows))


def _module(folder: Path, size: int) -> Digest:
    """A module in the store's folder, as both serve it."""
    data = random.Random(size).randbytes(size)
    digest = Digest.of(data)
    blobs = folder / "data" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    (blobs / digest.hex).write_bytes(data)
    return digest


def _rate(url: str) -> float:
    """Requests a second; every answer must be the module."""
    command = [str(_program("wrk")), "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", "--timeout", "10s", url]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"{url}: not every answer was right: {said}")
    found = re.search(r"Requests/sec:\s+([0-9.]+)", said)
    if found is None:
        raise SystemExit(f"{url}: no rate: {said}")
    return float(found[1])


@contextlib.contextmanager
def _wasmer(folder: Path) -> Iterator[tuple[int, str]]:
    """A wasmer over the folder's store; gives its pid and base URL."""
    command = [sys.executable, "-m", "autowasm.wasmer", "--listen=127.0.0.1:0", f"--data={folder / 'data'}"]
    log = folder / "wasmer.log"
    with log.open("wb") as output, _process([*command, "--rate=0"], output) as process:
        yield process.pid, f"http://127.0.0.1:{_announced(log)}"


@contextlib.contextmanager
def _nginx(folder: Path) -> Iterator[str]:
    """An nginx over the same files; gives its base URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, port=port))
    command = [str(_program("nginx")), "-e", f"{folder}/error.log", "-c", str(config)]
    with (folder / "nginx.log").open("wb") as output, _process(command, output):
        _await(lambda: _listens(port))
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def _process(command: list[str], output: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def _announced(log: Path) -> int:
    """The port that a wasmer says it listens on."""

    def lines() -> list[str]:
        return [line for line in log.read_text().splitlines() if '"serving"' in line]

    _await(lambda: bool(lines()))
    return int(json.loads(lines()[0])["port"])


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _await(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit("a server does not listen")
        time.sleep(0.02)


def _memory(pid: int) -> int:
    """MiB that a process has resident."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) // 1024 if found else 0


def _program(name: str) -> str | None:
    """Where a program is; Debian has servers where a user's PATH does not look."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
