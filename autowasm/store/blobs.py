"""A content-addressed store of blobs in a folder of its own: crash-safe to write, verified when read, bounded.

    ROOT/sha256/<hex>         a blob under its own digest, read-only, complete or not there
    ROOT/writing/<...>        what is being written; of no meaning after a crash
    ROOT/quarantine/<hex>.<>  blobs whose bytes were no longer those of their names

A write goes to a temporary file, is flushed to the disk (fsync) and then renamed, so that neither a crash nor
a full disk leaves half a blob under a digest. One folder belongs to one process; its threads may share a
``Blobs``. When a blob was last used is its file's access time, so that a restart forgets nothing.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final

from autowasm import errors, limits
from autowasm.digest import Digest
from autowasm.store import drafts, eviction
from autowasm.store.quarantine import Quarantine

_log = logging.getLogger(__name__)

_Identity = tuple[int, ...]

_OPEN_FILES: Final = 256
"""Blobs that are kept open: a mesh asks for some dozen time after time."""

_TOUCH_SECONDS: Final = 60.0
"""How exact the time of the last use is: less than any time by which a blob is judged."""


def _nothing() -> Collection[Digest]:
    return ()


@dataclass(frozen=True, slots=True)
class Room:
    """How much may be kept, and what stays whatever happens.

    Attributes:
        quota: bytes of all blobs and of the quarantine.
        recent: seconds for which a blob stays after its last use.
        trust: seconds for which a blob that was verified is not read again.
        wanted: what else stays.
    """

    quota: int = limits.STORE_BYTES
    recent: float = limits.STORE_RECENT_SECONDS
    trust: float = limits.STORE_TRUST_SECONDS
    wanted: Callable[[], Collection[Digest]] = _nothing


_UNBOUNDED: Final = Room(quota=sys.maxsize, recent=math.inf)
"""Who does not say what is wanted keeps everything."""


class Opened:
    """A blob that is open for all who hold this, readable whatever becomes of its file, and closed by the last."""

    __slots__ = ("descriptor", "identity", "size")

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        found = os.fstat(descriptor)
        self.size = found.st_size
        self.identity = _identity(found)  # when it was opened: while it is the same nobody wrote to the file

    def __del__(self) -> None:
        os.close(self.descriptor)

    def stream(self) -> BufferedReader:
        """It as a stream, for one reader: the position is that of the descriptor."""
        return os.fdopen(os.dup(self.descriptor), "rb")


class Blobs:
    """The blobs under ``root``, which is made where it is missing.

    Raises:
        errors.Final: side "store", reason "StoreUnusable", where the folder can't be made or written.
    """

    def __init__(self, root: Path, room: Room | None = None) -> None:
        self._blobs = root / "sha256"
        self._writing = root / "writing"
        self._room = room or _UNBOUNDED
        self._lock = threading.Lock()
        self._verified: dict[Digest, tuple[_Identity, float]] = {}
        self._open_files: dict[Digest, Opened] = {}
        self._touched: dict[Digest, float] = {}
        self._full = ""
        self._reserved = 0  # for what is being written
        try:
            for folder in (self._blobs, self._writing, root / "quarantine"):
                folder.mkdir(parents=True, exist_ok=True)
            drafts.drop_orphans(self._writing)
            drafts.on_disk(self._writing).close()
            self._quarantine = Quarantine(root / "quarantine")
            self._size = sum(one.size for one in self._held())
        except OSError as error:
            message = f"folder {root}: must be writable: {_words(error)}"
            raise errors.Final(message, side="store", reason="StoreUnusable") from error

    @property
    def size(self) -> int:
        """Bytes of all blobs."""
        return self._size

    @property
    def full(self) -> str:
        """Why the last blob could not be kept for want of room; empty where it could."""
        return self._full

    def put(self, data: bytes) -> Digest:
        """Keep these bytes; when it returns they outlive a crash. A blob that is there already costs a read.

        Raises:
            errors.Retry: side "store", reason "StoreFull" or "StoreFault"; nothing half-written stays.
        """
        digest = Digest.of(data)
        if self.open(digest):
            return digest
        with self.draft(len(data)) as draft:
            draft.write(data)
            return self.keep(draft)

    @contextlib.contextmanager
    def draft(self, size: int) -> Iterator[drafts.Draft]:
        """A place for a blob of so many bytes, for which room is made; dropped unless it is kept.

        Raises:
            errors.Retry: side "store", reason "StoreFull" or "StoreFault".
        """
        try:
            with self._reserved_for(size):
                with drafts.judged("blob", size):
                    draft = drafts.on_disk(self._writing)
                with contextlib.closing(draft):
                    yield draft
        except errors.Retry as error:
            self._full = error.message if error.reason == "StoreFull" else self._full
            raise

    def keep(self, draft: drafts.Draft) -> Digest:
        """Keep what was written, under its digest.

        Raises:
            errors.Retry: side "store", reason "StoreFull" or "StoreFault".
        """
        digest = draft.digest
        path = self._blobs / digest.hex
        with self._lock:
            before = _size_of(path)
            draft.publish(path)
            self._size += draft.size - before
            self._open_files.pop(digest, None)
            self._verified[digest] = _identity(path.stat()), time.monotonic()
            self._full = ""
        return digest

    def get(self, digest: Digest) -> bytes | None:
        """The bytes of a blob, verified; None where it is absent, or damaged and so put into quarantine.

        Raises:
            errors.Retry: side "store", reason "StoreFault", where the disk can't be read.
        """
        opened = self._open(digest)
        if opened is None:
            return None
        with _reading(digest), opened.stream() as stream:
            data = stream.read()
        return data if self._judge(digest, opened, Digest.of(data)) else None

    def open(self, digest: Digest) -> Opened | None:
        """A blob to read from, verified now and then and whenever its file is another; None as with ``get``.

        Raises:
            errors.Retry: as ``get``.
        """
        if opened := self.ready(digest):
            return opened
        opened = self._open(digest)
        if opened is None:
            return None
        with _reading(digest), opened.stream() as stream:
            found = Digest(hashlib.file_digest(stream, "sha256").hexdigest())
        return opened if self._judge(digest, opened, found) else None

    def ready(self, digest: Digest) -> Opened | None:
        """A blob that was verified lately, at the cost of a look; None where it must be read."""
        identity, verified = self._verified.get(digest, ((), -math.inf))
        now = time.monotonic()
        if now - verified > self._room.trust:
            return None
        opened = self._open_files.get(digest) or self._kept_open(digest)
        if opened is None or _identity(os.fstat(opened.descriptor)) != identity:
            self._open_files.pop(digest, None)
            return None
        if now - self._touched.get(digest, -math.inf) > _TOUCH_SECONDS:
            self._touch(digest, opened)
        return opened

    def path(self, digest: Digest) -> Path | None:
        """The file of a blob, verified now; None as with ``get``."""
        return self._blobs / digest.hex if self.get(digest) is not None else None

    def digests(self) -> frozenset[Digest]:
        """What is kept; a damaged blob that nobody has read yet counts too."""
        return frozenset(_named(path.name for path in self._blobs.iterdir()))

    def delete(self, digest: Digest) -> None:
        """Drop a blob; one that is not there is fine. Who has it open reads on."""
        with self._lock:
            self._forget(digest, _unlink)

    def _open(self, digest: Digest) -> Opened | None:
        try:
            path = self._blobs / digest.hex
            with _reading(digest):
                return Opened(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC))
        except FileNotFoundError:
            return None

    def _kept_open(self, digest: Digest) -> Opened | None:
        """Open it for all who will ask: what was opened the longest time ago gives way."""
        with contextlib.suppress(errors.Retry):
            opened = self._open(digest)
            if opened:
                with self._lock:
                    if len(self._open_files) >= _OPEN_FILES:
                        del self._open_files[next(iter(self._open_files))]
                    self._open_files[digest] = opened
            return opened
        return None

    @contextlib.contextmanager
    def _reserved_for(self, size: int) -> Iterator[None]:
        with self._lock, drafts.judged("blob", size):
            self._make_room(size)
            self._reserved += size
        try:
            yield
        finally:
            with self._lock:
                self._reserved -= size

    def _make_room(self, size: int) -> None:
        """Drop what may go where so many bytes would not fit.

        Raises:
            OSError: ENOSPC, they do not fit.
        """
        if self._excess(size) > 0:
            self._quarantine.clear()
        lately = time.time() - self._room.recent
        for digest in eviction.victims(self._held(), self._excess(size), self._room.wanted(), lately):
            _log.info("module dropped", extra={"digest": digest.hex})
            self._forget(digest, _unlink)
        if self._excess(size) > 0:
            what = f"{self._size} bytes are wanted, of a quota of {self._room.quota}"
            raise OSError(errno.ENOSPC, f"no room: {what}")

    def _excess(self, size: int) -> int:
        """How many bytes must go so that ``size`` more fit into the quota and onto the disk."""
        kept = self._size + self._reserved + self._quarantine.size()
        disk = os.statvfs(self._writing)
        free = disk.f_bavail * disk.f_frsize
        return max(kept + size - self._room.quota, size - free)

    def _held(self) -> Iterator[eviction.Held]:
        for path in self._blobs.iterdir():
            with contextlib.suppress(ValueError, FileNotFoundError):
                found = path.stat()
                yield eviction.Held(Digest(path.name), found.st_size, found.st_atime)

    def _touch(self, digest: Digest, opened: Opened) -> None:
        """Take note that it was used; the time of its content stays."""
        now = time.monotonic()
        self._touched[digest] = now
        with contextlib.suppress(OSError), self._lock:
            found = os.fstat(opened.descriptor)
            os.utime(opened.descriptor, ns=(time.time_ns(), found.st_mtime_ns))
            identity, verified = self._verified.get(digest, (None, now))
            if identity == _identity(found):  # all that is new is what was just written
                self._verified[digest] = _identity(os.fstat(opened.descriptor)), verified

    def _judge(self, digest: Digest, opened: Opened, found: Digest) -> bool:
        """Whether an opened file holds what its name says; if not it goes into quarantine."""
        if found == digest:
            self._verified[digest] = opened.identity, time.monotonic()
            self._touch(digest, opened)
            return True
        path = self._blobs / digest.hex
        with self._lock, contextlib.suppress(FileNotFoundError):
            # Another thread may have put it right meanwhile.
            if _identity(path.stat()) == opened.identity:
                self._forget(digest, self._quarantine.take)
        return False

    def _forget(self, digest: Digest, remove: Callable[[Path], None]) -> None:
        path = self._blobs / digest.hex
        size = _size_of(path)
        remove(path)
        self._size -= size
        self._verified.pop(digest, None)
        self._open_files.pop(digest, None)
        self._touched.pop(digest, None)


def _identity(found: os.stat_result) -> _Identity:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _named(names: Iterator[str]) -> Iterator[Digest]:
    for name in names:
        # A foreign file in the folder is no blob.
        with contextlib.suppress(ValueError):
            yield Digest(name)


@contextlib.contextmanager
def _reading(digest: Digest) -> Iterator[None]:
    """Within it a fault of the disk is an ``errors.Retry`` that names the blob."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        message = f"blob {digest.short}: can't be read: {_words(error)}"
        raise errors.Retry(message, side="store", reason="StoreFault") from error


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
