"""Blobs that no disk has room for, in memory: a stopgap, bounded, gone with the process.

Each is an anonymous file, so that it is read and sent as one on a disk is. One event loop owns a ``Memory``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from autowasm import errors, limits
from autowasm.digest import Digest
from autowasm.store import drafts
from autowasm.store.blobs import Opened


class Memory:
    """Up to ``most`` bytes of blobs; those that were asked for the longest time ago give way."""

    def __init__(self, most: int = limits.STOPGAP_BYTES) -> None:
        self._most = most
        self._kept: dict[Digest, Opened] = {}  # the last used is the last

    @property
    def size(self) -> int:
        """Bytes of all blobs."""
        return sum(blob.size for blob in self._kept.values())

    @contextlib.contextmanager
    def draft(self, size: int) -> Iterator[drafts.Draft]:
        """As ``Blobs.draft``."""
        self._check(size)
        with contextlib.closing(drafts.in_memory()) as draft:
            yield draft

    def keep(self, draft: drafts.Draft) -> Digest:
        """As ``Blobs.keep``, for as long as there is room."""
        self._check(draft.size)
        digest = draft.digest
        self.drop(digest)
        for other in list(self._kept):
            if self.size + draft.size <= self._most:
                break
            self.drop(other)
        self._kept[digest] = Opened(draft.duplicate())
        return digest

    def ready(self, digest: Digest) -> Opened | None:
        """A blob to read from."""
        kept = self._kept.pop(digest, None)
        if kept is not None:
            self._kept[digest] = kept
        return kept

    def drop(self, digest: Digest) -> None:
        """Let go of a blob; who reads it reads on."""
        self._kept.pop(digest, None)

    def _check(self, size: int) -> None:
        if size > self._most:
            message = f"blob: can't be held in memory, {size} bytes: the cap is {self._most}"
            raise errors.Retry(message, side="store", reason="StoreFull")
