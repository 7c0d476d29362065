"""Blobs whose bytes were no longer those of their name, kept for whoever looks into it: the newest few of them."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path

from autowasm import limits


class Quarantine:
    """A folder of damaged blobs, <hex>.<random>."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, path: Path) -> None:
        """Move a file here; one that is gone already is fine. The oldest give way beyond the cap."""
        with contextlib.suppress(FileNotFoundError):
            path.rename(self._folder / f"{path.name}.{secrets.token_hex(4)}")
        for old in self._by_age()[: -limits.QUARANTINED_BLOBS]:
            old.unlink(missing_ok=True)

    def size(self) -> int:
        """Bytes here."""
        return sum(path.stat().st_size for path in self._by_age())

    def clear(self) -> None:
        """Drop all: room is needed for what is wanted."""
        for path in self._by_age():
            path.unlink(missing_ok=True)

    def _by_age(self) -> list[Path]:
        # A rename sets the time of change, and keeps that of the content.
        return sorted(self._folder.iterdir(), key=lambda path: path.stat().st_ctime_ns)
