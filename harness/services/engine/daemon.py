"""Starts and ends an engine of our own: dockerd, detached from the command, so that a kept cluster outlives it.

It has no default bridge: clusters have a network of their own, and nothing of another engine's is touched. Nobody waits
for its API at the end, but for its process: it stops answering long before it is gone.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from harness.services.engine import asking, bounded, machine, own
from harness.services.engine.own import Place, Record
from harness.toolchain import cache
from harness.toolchain.lacking import Lacking

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 90.0  # it stops its containers first, and gives each some seconds
_POLL_SECONDS: Final = 0.05
_TAIL: Final = 12
# Writes its id and becomes the daemon: setsid's own child is nobody's child any more once this command has ended.
_DETACHED: Final = 'echo $$ > "$0.new" && mv "$0.new" "$0" && exec "$@"'


def refusal(where: Place) -> Lacking | None:
    """Why an engine of our own cannot be started here; None where it can, as far as can be seen."""
    other = machine.other_engine(own.alive(where))
    if other:
        return Lacking(
            f"container engine: must be the only one on this network: dockerd runs as process {other}, and does not"
            " answer where it was looked for",
            remedy="let DOCKER_HOST name its address, or end it",
        )
    if where.too_long:
        return Lacking(
            f"container engine: {where.folder} must be short enough for the path of a socket: it is too long",
            remedy="set XDG_CACHE_HOME to a folder with a shorter path",
        )
    return None


def start(where: Place) -> None:
    """Start it where it does not run, and wait until it answers. For who holds the engine's lock. Raises Lacking."""
    running = own.alive(where)
    if running and asking.ask(where.host) is None:
        return
    if running:
        _wait_for_end(where, running)  # it is on its way out
    refused = refusal(where)
    if refused:
        raise refused
    before = own.read(where)  # of one that was killed: what it found of the machine still counts
    settings = before.settings if before else machine.settings()
    chains = before.chains if before else machine.chains()
    if not before:
        machine.unmount(where.folder)
        shutil.rmtree(where.run, ignore_errors=True)
    machine.forward()
    pid = _spawn(where)
    own.write(where, Record(pid, own.started(pid) or 0, own.boot(), settings, chains))
    _wait_for_answer(where, pid)


def _spawn(where: Place) -> int:
    cache.folder(where.folder)
    _forget_dead(where.run / "containerd" / "containerd.pid")
    for stale in (where.pid_file, where.folder / "docker.pid"):
        stale.unlink(missing_ok=True)
    daemon = [
        "dockerd",
        f"--host={where.host}",
        f"--data-root={where.data}",
        f"--exec-root={where.run}",
        f"--pidfile={where.folder / 'docker.pid'}",
        "--bridge=none",
        *_runtime(where),
    ]
    detached = ["setsid", "--fork", "sh", "-c", _DETACHED, str(where.pid_file), *daemon]
    with where.log.open("wb") as log:
        subprocess.run(detached, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", check=True)
    deadline = time.monotonic() + _START_SECONDS
    while not (written := _written(where.pid_file)):
        if time.monotonic() > deadline:
            raise _failure(where, "has not begun")
        time.sleep(_POLL_SECONDS)
    return int(written)


def _forget_dead(pid_file: Path) -> None:
    """Where the engine was killed, its containerd died with it, and may be a zombie that nobody collects.

    The engine takes a zombie for a containerd that runs, and waits for its answer.
    """
    written = _written(pid_file) or "0"
    if written.isdigit() and own.started(int(written)) is None:
        pid_file.unlink(missing_ok=True)


def _written(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""


def _runtime(where: Place) -> list[str]:
    """Options that put ``bounded`` in runc's place, only where this machine withholds capabilities."""
    if not bounded.withheld_here():
        return []
    program = where.folder / "bounded.py"
    shutil.copyfile(bounded.__file__, program)
    runc = shutil.which("runc") or "/usr/sbin/runc"
    python = Path(sys.executable).resolve()  # of an environment that may go while a cluster stays
    stub = where.folder / "runc-bounded"
    command = shlex.join([str(python), "-I", "-S", str(program), runc])
    stub.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    stub.chmod(0o700)
    return [f"--add-runtime=bounded={stub}", "--default-runtime=bounded"]


def _wait_for_answer(where: Place, pid: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while asking.ask(where.host) is not None:
        if own.started(pid) is None:
            raise _failure(where, "has ended")
        if time.monotonic() > deadline:
            raise _failure(where, f"does not after {_START_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)


def _failure(where: Place, found: str) -> Lacking:
    lines = where.log.read_text(errors="replace").splitlines()[-_TAIL:]
    told = "".join(f"\n    {one}" for one in lines)
    return Lacking(
        f"container engine: our own dockerd must answer: it {found}{told}", remedy=f"read {where.log}"
    )


def stop(where: Place) -> list[str]:
    """End it, and put back what it changed; returns what was done, in words. For who holds the engine's lock."""
    done = []
    pid = own.alive(where)
    if pid:
        os.kill(pid, signal.SIGTERM)
        _wait_for_end(where, pid)
        done.append("ended")
    record = own.read(where)
    if record is None:
        return done
    if machine.unmount(where.folder):
        done.append("mounts removed")
    if not record.chains and machine.other_engine(None) is None and machine.remove_chains():
        done.append("chains of the packet filter removed")
    if settings := machine.restore(record.settings):
        done.append(f"{', '.join(settings)} put back")
    for file in (where.record_file, where.pid_file, where.folder / "docker.sock"):
        file.unlink(missing_ok=True)
    shutil.rmtree(where.run, ignore_errors=True)
    return done


def _wait_for_end(where: Place, pid: int) -> None:
    began = own.started(pid)
    deadline = time.monotonic() + _STOP_SECONDS
    while began is not None and own.started(pid) == began:
        if time.monotonic() > deadline:
            raise _failure(where, f"is still there {_STOP_SECONDS:.0f} s after it was asked to end")
        time.sleep(_POLL_SECONDS)
