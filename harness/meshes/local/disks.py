"""Disks that are small, become full, and lose bytes."""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path
from typing import Final

_MS_NOSUID_NODEV: Final = 2 | 4
_BALLAST: Final = "ballast"
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_BLOCK: Final = 1024 * 1024
_QUARANTINE: Final = "quarantine"
_libc: Final = ctypes.CDLL(None, use_errno=True)


def small(folder: Path, megabytes: int) -> None:
    """Put a disk of this size at a folder.

    Raises:
        OSError: the kernel refuses.
    """
    if _libc.mount(b"tmpfs", bytes(folder), b"tmpfs", _MS_NOSUID_NODEV, f"size={megabytes}m".encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {folder}: {os.strerror(number)}")


def remove(folder: Path) -> None:
    """Take the disk away; who has files of it open keeps them.

    Raises:
        OSError: the kernel refuses.
    """
    if _libc.umount2(bytes(folder), 2) != 0:  # MNT_DETACH
        number = ctypes.get_errno()
        raise OSError(number, f"umount {folder}: {os.strerror(number)}")


def fill(folder: Path) -> Path:
    """Use up every byte of the disk; returns the file that does it."""
    file = folder / _BALLAST
    with file.open("wb", buffering=0) as ballast:
        for size in (_BLOCK, 4096, 1):
            while _written(ballast.fileno(), size):
                pass
    return file


def damage(folder: Path, part: str) -> list[Path]:
    """Turn a byte in the middle of each module whose digest has this part; those in quarantine are of no interest."""
    found = [
        one
        for one in folder.rglob("*")
        if _DIGEST.fullmatch(one.name)
        and part in one.name
        and _QUARANTINE not in one.parts
        and one.stat().st_size
    ]
    for one in found:
        before = one.stat()
        one.chmod(0o600)
        with one.open("r+b") as file:
            file.seek(before.st_size // 2)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 0xFF]))
        one.chmod(before.st_mode & 0o777)
        os.utime(one, ns=(before.st_atime_ns, before.st_mtime_ns))  # as bits rot: nobody wrote
    return found


def _written(handle: int, size: int) -> bool:
    try:
        return os.write(handle, bytes(size)) > 0
    except OSError:  # ENOSPC
        return False
