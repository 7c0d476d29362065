"""Compiled modules between runs of a program, in a folder that nobody but its owner can read or write.

    ROOT/<engine>-<version>/<key>    32 bytes of SHA-256 of what follows, then the compiled module

What is loaded is executed as machine code, so nothing is loaded that another user could have written: the
folders must be this user's with mode 0700, the files this user's, plain ones and of mode 0600. The digest in
front finds what a crash or a disk spoiled; it is no protection against this same user, who needs none.
Everything here may fail without harm: the module is then compiled again.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import secrets
import stat
from pathlib import Path
from typing import Final

_MOST_BYTES: Final = 512 * 1024 * 1024
"""What the folder holds at most; beyond it the files that were not used for the longest time go."""

_LARGEST: Final = 256 * 1024 * 1024
_ENGINE: Final = "wasmtime"
_DIGEST: Final = 32


class Compiled:
    """Compiled modules under ``root``, which is made where it is missing."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / f"{_ENGINE}-{importlib.metadata.version(_ENGINE)}"

    def load(self, key: str) -> bytes | None:
        """What was saved under a key, None where it is not there, is spoiled, or may be another's."""
        try:
            if not (_private(self._root) and _private(self._folder)):
                return None
            data = _read(self._folder / key)
        except OSError:
            return None
        if hashlib.sha256(data[_DIGEST:]).digest() != data[:_DIGEST]:
            return None
        return data[_DIGEST:]

    def save(self, key: str, data: bytes) -> None:
        """Keep it. Whoever looks sees all of it or nothing; a folder that is not private is left alone."""
        if len(data) > _LARGEST:
            return
        draft = self._folder / f".{key[:16]}.{secrets.token_hex(8)}"
        try:
            for folder in (self._root, self._folder):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                if not _private(folder):
                    return
            try:
                _write(draft, hashlib.sha256(data).digest() + data)
                draft.replace(self._folder / key)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
            self._make_room()
        except OSError:
            return

    def _make_room(self) -> None:
        """Drop what was not used for the longest time, of other versions first."""
        found = [
            (path.parent == self._folder, path.stat().st_mtime, path)
            for path in self._root.glob(f"{_ENGINE}-*/*")
            if path.is_file()
        ]
        total = sum(path.stat().st_size for _, _, path in found)
        for _, _, path in sorted(found):
            if total <= _MOST_BYTES:
                return
            total -= path.stat().st_size
            path.unlink(missing_ok=True)


def of_user() -> Compiled:
    """The folder in this user's cache (XDG_CACHE_HOME, or ~/.cache)."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    cache = Path(home) if os.path.isabs(home) else Path(os.path.expanduser("~/.cache"))  # noqa: PTH111, PTH117
    return Compiled(cache / "autowasm" / "compiled")


def _private(folder: Path) -> bool:
    found = folder.lstat()
    mine = found.st_uid == os.geteuid() and stat.S_ISDIR(found.st_mode)
    return mine and stat.S_IMODE(found.st_mode) & 0o077 == 0


def _read(file: Path) -> bytes:
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        private = stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) & 0o077 == 0
        if not private or found.st_uid != os.geteuid() or found.st_size > _LARGEST + _DIGEST:
            return b""
        os.utime(descriptor)  # it was used: _make_room goes by this
        return stream.read()


def _write(file: Path, data: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(descriptor)
