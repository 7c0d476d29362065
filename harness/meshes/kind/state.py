"""Which kind meshes of ours there are: a folder each under the cache, and a lock each that dies with its owner.

The record is written before anything is made, so that nothing is made that nobody could find. Lock files stay: to
remove one is a race.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from harness.toolchain import cache
from harness.toolchain.lacking import Lacking

_RECORD: Final = "mesh.json"
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Record:
    """A mesh: the engine that it is on and whether that is our own, its clusters, its registries, whether it stays.

    ``mark`` stands for the configuration that its clusters were made with.
    """

    host: str
    ours: bool
    mark: str
    clusters: tuple[str, ...]
    ports: tuple[int, int]
    credentials: tuple[str, str]
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of a mesh whose lock this process holds."""

    folder: Path

    @property
    def name(self) -> str:
        """The mesh's name."""
        return self.folder.name

    def cluster(self, name: str) -> Path:
        """The folder of one of its clusters; it need not exist."""
        return self.folder / name

    def read(self) -> Record | None:
        """The record, None where there is none."""
        return _record(self.folder)

    def write(self, record: Record) -> None:
        """Keep the record, whole or not at all."""
        cache.write(self.folder / _RECORD, json.dumps(asdict(record)).encode())

    def keep(self) -> None:
        """From now on the mesh stays when its run is over."""
        record = self.read()
        assert record
        self.write(replace(record, kept=True))

    def forget(self) -> None:
        """Remove the folder: nothing of the mesh is there any more."""
        shutil.rmtree(self.folder, ignore_errors=True)


def root() -> Path:
    """Where the folders of meshes are; it need not exist."""
    return cache.root() / "kind"


@contextlib.contextmanager
def claimed(name: str, *, exact: bool) -> Iterator[Place]:
    """Hold the lock of a mesh; without ``exact`` a taken name gets a number. Raises Lacking where none is free."""
    names = [name] if exact else [name, *(f"{name}-{number}" for number in range(2, _MOST))]
    for one in names:
        with attempted(one) as place:
            if place:
                yield place
                return
    raise Lacking(
        f"kind: the mesh {name} must be free: a command uses it",
        remedy="wait for it, or take another name",
    )


@contextlib.contextmanager
def attempted(name: str) -> Iterator[Place | None]:
    """Hold the lock of a mesh, None where another process does."""
    cache.folder(root())
    handle = os.open(root() / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield Place(root() / name)
    finally:
        os.close(handle)


def names() -> list[str]:
    """The meshes that are there, or were begun."""
    return sorted(path.parent.name for path in root().glob(f"*/{_RECORD}"))


def look(name: str) -> Record | None:
    """The record of a mesh that another process may hold."""
    return _record(root() / name)


def _record(folder: Path) -> Record | None:
    found: dict[str, Any] = cache.read_json(folder / _RECORD)
    if not found:
        return None
    with contextlib.suppress(TypeError):
        for key in ("clusters", "ports", "credentials"):
            found[key] = tuple(found.get(key, ()))
        return Record(**found)
    return None
