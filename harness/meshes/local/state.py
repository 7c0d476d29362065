"""Which meshes run on this machine: a folder each under the cache, held by a lock that dies with its owner.

The process outside of the namespaces owns the folder: it takes the lock, writes the id of PID 1 as the host sees it,
and removes the folder at the end. Folders whose owner was killed are removed by the next start.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.toolchain import cache

_LOCK: Final = "lock"
_RECORD: Final = "mesh.json"


@dataclass(frozen=True, slots=True)
class Running:
    """A mesh that runs: its name, PID 1 of its namespaces, and whether it has a user namespace of its own."""

    name: str
    pid: int
    user_namespace: bool
    folder: Path


def folder() -> Path:
    """Where the folders of running meshes are; it need not exist."""
    return cache.root() / "run"


@contextlib.contextmanager
def owned(name: str, *, exact: bool) -> Iterator[Path]:
    """Own the folder of a mesh; without ``exact`` a taken name gets a number.

    Raises:
        FileExistsError: ``exact``, and a mesh of that name runs.
    """
    for place in _places(name, exact=exact):
        handle = _lock(place)
        if handle is not None:
            break
    else:
        raise FileExistsError(f"mesh {name}: the name must be free, one runs under it")
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(handle)


def record(place: Path, pid: int, *, user_namespace: bool) -> None:
    """Say which process a mesh's PID 1 is, so that others may enter."""
    new = place / f"{_RECORD}.new"
    new.write_text(json.dumps({"pid": pid, "user_namespace": user_namespace}))
    new.replace(place / _RECORD)  # nothing is synced: it means nothing after a crash


def running() -> list[Running]:
    """The meshes that run now, by name. Folders of dead ones are removed on the way."""
    found = []
    for place in sorted(folder().glob("*")):
        handle = _lock(place)
        if handle is not None:
            shutil.rmtree(place, ignore_errors=True)
            os.close(handle)
        elif values := cache.read_json(place / _RECORD):
            found.append(Running(place.name, values["pid"], values["user_namespace"], place))
    return found


def _places(name: str, *, exact: bool) -> Iterator[Path]:
    yield folder() / name
    if not exact:
        for number in range(2, 1000):
            yield folder() / f"{name}-{number}"


def _lock(place: Path) -> int | None:
    """Take the lock of a folder; None where another process has it.

    A folder that its owner removed in between is made and tried again: a lock on a removed file protects nothing.
    """
    while True:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            handle = os.open(place / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        if _same_file(handle, place / _LOCK):
            return handle
        os.close(handle)


def _same_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
