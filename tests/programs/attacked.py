"""The wasmc program as it suffers an attack: what its user saw, how it ended, what it cost.

It runs with an /etc/hosts of its own, in which names that were rebound stand for what they have become. A small
process starts it and reads its largest memory, since that of a process counts what its parent had when it was made.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.unit.registry import plays

ROOT = Path(__file__).parents[2]
SECONDS = 300.0
_HOSTS = 'mount --bind "$0" /etc/hosts && exec "$@"'
_STARTER = """
import json, os, resource, subprocess, sys
code = subprocess.run(sys.argv[2:]).returncode
with open(sys.argv[1], "w") as file:
    json.dump({"code": code, "peak": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10}, file)
"""


@dataclass(frozen=True)
class Ended:
    """``code``: exit code. ``said``: standard error. ``peak``: bytes, the program itself included."""

    code: int
    said: str
    seconds: float
    peak: int


def run(folder: Path, *args: str) -> Ended:
    """Run the program in a folder to its end, or until nobody would wait any longer."""
    (folder / "hosts").write_text("".join(f"{address} {name}\n" for name, address in plays.NAMES.items()))
    root = ["--map-root-user"] if os.geteuid() else []
    own_hosts = ["unshare", "--mount", *root, "sh", "-c", _HOSTS, "hosts"]
    wasmc = [sys.executable, "-m", "autowasm.wasmc", *args]
    command = [*own_hosts, sys.executable, "-S", "-c", _STARTER, "cost.json", *wasmc]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DOCKER_CONFIG": str(folder)}
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=True
    )
    cost = json.loads((folder / "cost.json").read_text())
    return Ended(cost["code"], done.stderr, time.monotonic() - began, cost["peak"])


@functools.cache
def idle(folder: Path) -> int:
    """The memory, in bytes, of a program that finds nobody: it loads all that it needs, and pulls nothing."""
    return run(folder, "pull", "127.0.0.1:1/team/app:v1").peak


def suffer(folder: Path, host: str, name: str, *, of_object: bool) -> Ended:
    """One attack: a pull, or the check of an object at a URL."""
    args = (
        ("check", f"http://{host}/{name}")
        if of_object
        else ("pull", f"{host}/team/app:{name}", "-o", "got.wasm")
    )
    return run(folder, *args)
