"""A blob of one registry as what is sent to another: read while it goes, verified, gone on with after a cut.

No more of it is in memory than a piece. Its last piece is given away once all of them are what the digest says, so
that whoever takes it never has the whole of anything else.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncGenerator

import httpx2

from autowasm import errors, limits
from autowasm.digest import Digest
from autowasm.oci import blame, manifest
from autowasm.registry import ranges
from autowasm.registry.auth import Access
from autowasm.registry.exchange import Call, Exchange


class SourceError(Exception):
    """The source cannot give the blob, whatever becomes of where it goes; ``error`` says why."""

    def __init__(self, error: errors.Final) -> None:
        super().__init__(str(error))
        self.error = error


class Stream:
    """One blob, to be read as often as it takes, from wherever it has to go on."""

    def __init__(self, exchange: Exchange, access: Access, item: manifest.Descriptor) -> None:
        self._exchange = exchange
        self._access = access
        self._origin = blame.Origin("registry", f"blob {item.digest}")
        self._hash = hashlib.sha256()
        self._hashed = 0
        self.digest = item.digest
        self.size = item.size

    async def pieces(self, at: int) -> AsyncGenerator[bytes, None]:
        """What comes from byte ``at`` on.

        Raises:
            errors.Retry: the source was cut again and again, or is not there.
            SourceError: the source refuses, or has other bytes.
        """
        position = min(at, self._hashed)  # every byte counts for the digest once
        while position < self.size:
            before = position
            try:
                async with contextlib.aclosing(self._read(position)) as read:
                    async for piece in read:
                        position += len(piece)
                        self._take(piece, position)
                        fresh = piece[max(0, len(piece) - max(0, position - at)) :]
                        if fresh:
                            yield fresh
            except errors.Retry:
                if not ranges.helped(before, position):
                    raise
            except errors.Final as error:
                raise SourceError(error) from error

    async def _read(self, position: int) -> AsyncGenerator[bytes, None]:
        url = httpx2.URL(f"{self._access.api}/blobs/{self.digest}")
        call = Call("GET", url, (200, 206), ranges.ask(position, self.size))
        async with self._exchange.open(call, self._access) as response:
            begins = ranges.start(response, position, self._origin)
            async for piece in ranges.pieces(response, position - begins):
                position += len(piece)
                yield piece
        if position < self.size:
            raise self._origin.mismatch(f"must have {self.size} bytes, {position} came")

    def _take(self, piece: bytes, end: int) -> None:
        """Count a piece that ends at this offset; judge all of them with the last one."""
        if end > self.size:
            raise self._origin.mismatch(f"must have {self.size} bytes, more came")
        fresh = piece[max(0, len(piece) - (end - self._hashed)) :] if end > self._hashed else b""
        self._hash.update(fresh)
        self._hashed += len(fresh)
        if end == self.size and (found := Digest(self._hash.hexdigest())) != self.digest:
            raise self._origin.mismatch(f"must have that digest, found {found}")


def small(item: manifest.Descriptor) -> bool:
    """Whether a blob is rather held in memory, verified as a whole before any of it is sent."""
    return item.size <= limits.WHOLE_BYTES
