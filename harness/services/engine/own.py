"""Where an engine of our own keeps what it has, and what of it runs: files of the cache folder, read and written here.

The record says which process it is (id and start time, so that another process with the same id is not taken for it),
since which boot of the machine, and what of the machine it found as it was.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from harness.toolchain import cache

_LONGEST_SOCKET: Final = 107  # bytes of a path, unix(7)
_DEEPEST: Final = "exec/containerd/containerd-debug.sock"


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of our own engine."""

    folder: Path

    @property
    def host(self) -> str:
        """Its address."""
        return f"unix://{self.folder / 'docker.sock'}"

    @property
    def data(self) -> Path:
        """Images, containers, volumes: kept from one use to the next."""
        return self.folder / "data"

    @property
    def run(self) -> Path:
        """What means nothing once the engine has ended."""
        return self.folder / "exec"

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / "dockerd.log"

    @property
    def pid_file(self) -> Path:
        """Its process id, written before it begins."""
        return self.folder / "pid"

    @property
    def record_file(self) -> Path:
        """The record."""
        return self.folder / "engine.json"

    @property
    def users(self) -> Path:
        """Each command that uses the engine holds a shared lock of this file."""
        return self.folder / "users"

    @property
    def too_long(self) -> bool:
        """Whether its sockets' paths are longer than a socket's may be."""
        return len(bytes(self.folder / _DEEPEST)) > _LONGEST_SOCKET


@dataclass(frozen=True, slots=True)
class Record:
    """A process of the engine, and the machine as it was before: settings of /proc/sys, whether chains were there."""

    pid: int
    start: int
    boot: str
    settings: dict[str, str] = field(default_factory=dict)
    chains: bool = False


def place() -> Place:
    """The one place of it. Raises Lacking where there is no cache folder."""
    return Place(cache.root() / "engine")


def read(where: Place) -> Record | None:
    """The record; None where there is none, or one of another boot, which means nothing any more."""
    found = cache.read_json(where.record_file)
    with contextlib.suppress(TypeError):
        record = Record(**found)
        return record if record.boot == boot() else None
    return None


def write(where: Place, record: Record) -> None:
    """Keep the record, whole or not at all."""
    cache.write(where.record_file, json.dumps(asdict(record)).encode())


def alive(where: Place) -> int | None:
    """The id of the engine's process, None where it does not run."""
    record = read(where)
    return record.pid if record and started(record.pid) == record.start else None


def left() -> bool:
    """Whether our own engine runs, or was killed and has left something to put back."""
    return read(place()) is not None


def started(pid: int) -> int | None:
    """When a process began, in ticks since the boot (proc(5), field 22 of stat); None where there is no such."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *rest = text.rpartition(")")[2].split()
    return None if state in {"Z", "X"} else int(rest[18])


def boot() -> str:
    """Which boot of the machine this is."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
