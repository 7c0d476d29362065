"""Writes one layer of an image: a tar whose bytes depend on what is in it and nothing else.

Owners, times and the order are set, not taken from the machine. With ``merged`` the names /bin, /sbin and /lib* are
links into /usr, as distributions lay them: the links come first, and what would lie below them is put where they
point, since an unpacker that meets a folder before its link cannot go on.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final

MERGED: Final = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Blob:
    """A finished layer: its file, ``sha256:...`` of it and its size in bytes."""

    path: Path
    digest: str
    size: int


def measured(path: Path) -> Blob:
    """A layer that was finished before, by reading it."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Blob(path, f"sha256:{digest}", path.stat().st_size)


def inside(name: str, *, merged: bool) -> str:
    """A path as it is written into the tar: relative, and below usr where links would lead there."""
    path = name.strip("/")
    return f"usr/{path}" if merged and path.split("/")[0] in MERGED else path


class Layer:
    """A layer that is being written; ``finish`` ends it. What is added twice stays as it was first."""

    def __init__(self, path: Path, *, merged: bool = False) -> None:
        self._path = path
        self._file = path.open("wb")
        self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - see finish
        self._tar.copybufsize = _BLOCK  # type: ignore[attr-defined] # the default copies in 16 KiB steps
        self._names: set[str] = set()
        self._merged = merged
        for name in MERGED if merged else ():
            self.link(name, f"usr/{name}")
            self.folder(f"usr/{name}")

    def folder(self, name: str, mode: int = 0o755) -> None:
        """Add a folder, with those above it."""
        self._add(_info(name, kind=tarfile.DIRTYPE, mode=mode))

    def link(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        self._add(_info(name, kind=tarfile.SYMTYPE, linkname=target, mode=0o777))

    def data(self, name: str, content: bytes, mode: int = 0o644) -> None:
        """Add a file by its bytes."""
        self._add(_info(name, size=len(content), mode=mode), io.BytesIO(content))

    def file(self, name: str, source: Path, mode: int = 0o755) -> None:
        """Add a file by another one."""
        with source.open("rb") as opened:
            self._add(_info(name, size=os.fstat(opened.fileno()).st_size, mode=mode), opened)

    def stream(self, name: str, size: int, content: Iterator[bytes], mode: int = 0o644) -> None:
        """Add a file by its bytes, which come in pieces and are ``size`` in all."""
        self._add(_info(name, size=size, mode=mode), _Pieces(content))

    def copy(self, member: tarfile.TarInfo, content: IO[bytes] | None) -> None:
        """Add a member of another layer as it is there."""
        self._add(member, content)

    def finish(self) -> Blob:
        """End the layer."""
        self._tar.close()
        self._file.close()
        return measured(self._path)

    def _add(self, member: tarfile.TarInfo, content: IO[bytes] | None = None) -> None:
        top = self._merged and member.issym() and member.name in MERGED
        member.name = member.name.strip("/") if top else inside(member.name, merged=self._merged)
        if not member.name or member.name in self._names:
            return
        for parent in reversed(PurePosixPath(member.name).parents[:-1]):
            if str(parent) not in self._names:
                self._names.add(str(parent))
                self._tar.addfile(_info(str(parent), kind=tarfile.DIRTYPE, mode=0o755))
        self._names.add(member.name)
        self._tar.addfile(member, content)


def _info(
    name: str, *, mode: int, size: int = 0, kind: bytes = tarfile.REGTYPE, linkname: str = ""
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name.strip("/"))
    info.mode, info.size, info.type, info.linkname = mode, size, kind, linkname
    return info


class _Pieces(io.BytesIO):
    """Pieces of bytes as a file to read from."""

    def __init__(self, content: Iterator[bytes]) -> None:
        super().__init__()
        self._content = content
        self._rest = b""

    def read(self, size: int | None = -1) -> bytes:
        """Exactly ``size`` bytes while there are so many: tarfile takes less for the end."""
        parts = [self._rest]
        have = len(self._rest)
        while size is None or size < 0 or have < size:
            piece = next(self._content, None)
            if piece is None:
                break
            parts.append(piece)
            have += len(piece)
        whole = b"".join(parts)
        end = len(whole) if size is None or size < 0 else size
        self._rest = whole[end:]
        return whole[:end]
