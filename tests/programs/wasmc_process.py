"""The wasmc program, run as a user does, with passwords of its own."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def log_in(folder: Path, hosts: Iterable[str], user: str = "bob", password: str = "secret") -> None:
    """Keep a password for registries where ``run`` finds it: in ``folder``/docker."""
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    (folder / "docker").mkdir(exist_ok=True)
    config = {"auths": {host: {"auth": auth} for host in hosts}}
    (folder / "docker" / "config.json").write_text(json.dumps(config))


def run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a folder to its end, whatever comes of it."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DOCKER_CONFIG": str(folder / "docker"),
        "PYTHONWARNINGS": "error",
    }
    command = [sys.executable, "-m", "autowasm.wasmc", *args]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def told(folder: Path, *args: str) -> Any:
    """What the program says in JSON; it succeeds, and says nothing else."""
    done = run(folder, *args, "--output", "json")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


def lines(folder: Path, *args: str) -> list[str]:
    """What the program says to people; it succeeds, and says nothing else."""
    done = run(folder, *args)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.splitlines()
