"""A content-addressed store of blobs in a folder of its own: crash-safe to write, verified when read.

    ROOT/sha256/<hex>        a blob under its own digest, read-only, complete or not there
    ROOT/writing/<...>       what is being written; of no meaning after a crash
    ROOT/quarantine/<hex>.N  a blob whose bytes were no longer those of its name, kept for whoever looks into
    it

A write goes to a temporary file, is flushed to the disk (fsync) and then renamed, so that neither a crash nor
a full disk leaves half a blob under a digest. One folder belongs to one process; its threads may share a
``Blobs``.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from autowasm import errors
from autowasm.digest import Digest

STALE_SECONDS: Final = 3600
"""Age at which a temporary file is a crash's leftover: no write of a capped blob takes so long."""


class Blobs:
    """The blobs under ``root``, which is made where it is missing.

    Raises:
        errors.Final: side "store", reason "StoreUnusable", where the folder can't be made or written.
    """

    def __init__(self, root: Path) -> None:
        self._blobs = root / "sha256"
        self._writing = root / "writing"
        self._quarantine = root / "quarantine"
        try:
            for folder in (self._blobs, self._writing, self._quarantine):
                folder.mkdir(parents=True, exist_ok=True)
            _drop_stale(self._writing)
            tempfile.TemporaryFile(dir=self._writing).close()
        except OSError as error:
            message = f"folder {root}: must be writable: {_words(error)}"
            raise errors.Final(message, side="store", reason="StoreUnusable") from error

    def put(self, data: bytes) -> Digest:
        """Keep these bytes; when it returns they outlive a crash. A blob that is there already costs a read.

        Raises:
            errors.Retry: side "store", reason "StoreFull" or "StoreFault"; nothing half-written stays.
        """
        digest = Digest.of(data)
        try:
            if self.get(digest) is None:
                self._write(digest, data)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            reason = "StoreFull" if full else "StoreFault"
            message = f"blob {digest.short}: can't be written, {len(data)} bytes: {_words(error)}"
            raise errors.Retry(message, side="store", reason=reason) from error
        return digest

    def get(self, digest: Digest) -> bytes | None:
        """The bytes of a blob, verified; None where it is absent, or damaged and so put into quarantine.

        Raises:
            errors.Retry: side "store", reason "StoreFault", where the disk can't be read.
        """
        path = self._blobs / digest.hex
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            message = f"blob {digest.short}: can't be read: {_words(error)}"
            raise errors.Retry(message, side="store", reason="StoreFault") from error
        if Digest.of(data) == digest:
            return data
        self._isolate(path)
        return None

    def path(self, digest: Digest) -> Path | None:
        """The file of a blob, verified now; None as with ``get``."""
        return self._blobs / digest.hex if self.get(digest) is not None else None

    def digests(self) -> frozenset[Digest]:
        """What is kept; a damaged blob that nobody has read yet counts too."""
        return frozenset(_named(path.name for path in self._blobs.iterdir()))

    def delete(self, digest: Digest) -> None:
        """Drop a blob; one that is not there is fine."""
        (self._blobs / digest.hex).unlink(missing_ok=True)

    def _write(self, digest: Digest, data: bytes) -> None:
        handle, name = tempfile.mkstemp(prefix=f"{digest.short}.", dir=self._writing)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), 0o444)
                os.fsync(file.fileno())
            Path(name).rename(self._blobs / digest.hex)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync_folder(self._blobs)

    def _isolate(self, path: Path) -> None:
        for number in itertools.count():
            aside = self._quarantine / f"{path.name}.{number}"
            if not aside.exists():
                # Another thread may have been first: then there is nothing left to move.
                with contextlib.suppress(FileNotFoundError):
                    path.rename(aside)
                return


def _drop_stale(folder: Path) -> None:
    for path in folder.iterdir():
        if time.time() - path.stat().st_mtime > STALE_SECONDS:
            path.unlink(missing_ok=True)


def _named(names: Iterator[str]) -> Iterator[Digest]:
    for name in names:
        # A foreign file in the folder is no blob.
        with contextlib.suppress(ValueError):
            yield Digest(name)


def _sync_folder(folder: Path) -> None:
    # The rename itself is durable only once the folder is on the disk.
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
