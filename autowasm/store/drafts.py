"""Files that are being written, until they are whole. After a crash they mean nothing, and are dropped.

A draft is locked by its writer: one that nobody has locked was left by a process that was killed. A draft in memory
stands in where the disk is full. Faults of the file system are errors of side "store", reason StoreFull or
StoreFault, from here on.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from autowasm import errors
from autowasm.digest import Digest

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM)

_NEW_SECONDS: Final = 1.0
_MODE: Final = 0o444  # nobody writes to a blob again


class Draft:
    """One file that grows; ``size`` bytes so far. Whoever opened it closes it, while a thread may still write.

    Raises:
        errors.Retry: side "store", in every method.
    """

    def __init__(self, descriptor: int, path: Path | None = None) -> None:
        self.size = 0
        self._descriptor = descriptor
        self._path = path
        self._sum = hashlib.sha256()
        self._lock = threading.Lock()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Add these bytes."""
        view = memoryview(data)
        with self._lock, judged("blob", self.size + len(data)):
            while view:
                view = view[os.write(self._descriptor, view) :]
        self._sum.update(data)
        self.size += len(data)

    @property
    def digest(self) -> Digest:
        """Of what was written so far."""
        return Digest(self._sum.hexdigest())

    def publish(self, path: Path) -> None:
        """Give it its name; when this returns it is there, whole, after a crash too."""
        assert self._path is not None  # what is in memory has no name
        with self._lock, judged(f"blob {self.digest.short}", self.size):
            os.fchmod(self._descriptor, _MODE)
            os.fsync(self._descriptor)
            self._path.rename(path)
            self._path = None
            sync_folder(path.parent)

    def duplicate(self) -> int:
        """A descriptor of its own for who reads it."""
        return os.dup(self._descriptor)

    def close(self) -> None:
        """Drop what was not published; again is fine."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1
            if self._path is not None:
                self._path.unlink(missing_ok=True)


def on_disk(folder: Path) -> Draft:
    """A new draft in a folder."""
    path = folder / secrets.token_hex(16)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return Draft(descriptor, path)


def in_memory() -> Draft:
    """A new draft that no disk holds; it goes with its last descriptor."""
    return Draft(os.memfd_create("module"))


@contextlib.contextmanager
def judged(name: str, size: int) -> Iterator[None]:
    """Within it a fault of the file system is an ``errors.Retry`` that names what can't be written."""
    try:
        yield
    except OSError as error:
        message = f"{name}: can't be written, {size} bytes: {(error.strerror or str(error)).lower()}"
        if error.errno not in _FULL:
            raise errors.Retry(message, side="store", reason="StoreFault") from error
        remedy = "Give the store more room, or a larger quota (--quota)."
        raise errors.Retry(message, side="store", reason="StoreFull", remedy=remedy) from error


def drop_orphans(folder: Path) -> None:
    """Clear away what killed writers left."""
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            _drop_unlocked(path)


def _drop_unlocked(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: somebody writes it
        found = os.fstat(descriptor)
        # An empty one may be somebody's who is about to lock it.
        if found.st_size or time.time() - found.st_mtime > _NEW_SECONDS:
            path.unlink()
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk: a rename is durable only then."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
