"""A layer on its way: unpacked while it is read, verified, and gone on with where the connection was cut.

What was read stays read: a further try asks for the rest alone (RFC 9110, section 14), and takes the whole
where the server knows no ranges. Digest and size count over all pieces, whichever answer they came in.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

import httpx2

from autowasm import errors, limits
from autowasm.digest import Digest
from autowasm.oci import blame, manifest, unpack
from autowasm.registry import body, pipe
from autowasm.registry.auth import Access
from autowasm.registry.exchange import Call, Exchange

_RANGE: Final = re.compile(r"bytes ([0-9]{1,20})-[0-9]{1,20}/(?:[0-9]{1,20}|\*)")


class Download:
    """One layer, over as many answers as it takes."""

    def __init__(self, layer: manifest.Descriptor) -> None:
        self._layer = layer
        self._hash = hashlib.sha256()
        self._size = 0
        self._unpacker = unpack.Unpacker(blame.Origin("registry", self._what))
        self._fault: errors.Final | None = None

    @property
    def _what(self) -> str:
        return f"layer {self._layer.digest}"

    async def module(self, exchange: Exchange, access: Access) -> bytes:
        """The module in the layer. May be called again after an ``errors.Retry``, to go on.

        A try that got anything is followed by the next at once: each brings the end nearer, so they end.

        Raises:
            errors.Error: TooLarge, DigestMismatch, NoModule, and whatever an exchange raises.
        """
        if self._layer.size > limits.MODULE_BYTES:
            raise errors.Final(
                f"{self._what}: must have at most {limits.MODULE_BYTES} bytes, has {self._layer.size}",
                side="registry",
                reason="TooLarge",
            )
        while True:
            before = self._size
            try:
                await self._read(exchange, access)
                return self._finish()
            except errors.Retry:
                if self._size == before:
                    raise

    async def _read(self, exchange: Exchange, access: Access) -> None:
        url = httpx2.URL(f"{access.api}/blobs/{self._layer.digest}")
        headers = {"Range": f"bytes={self._size}-"} if self._size else {}
        async with exchange.open(Call("GET", url, (200, 206), headers), access) as response:
            skipped = self._size - self._start(response)
            await pipe.through(body.beyond(response, skipped), self._feed)

    def _start(self, response: httpx2.Response) -> int:
        """The offset at which the answer begins."""
        if response.status_code == 200:
            return 0
        found = _RANGE.fullmatch(response.headers.get("content-range", ""))
        if found is None or int(found[1]) != self._size:
            value = response.headers.get("content-range", "")[:60]
            raise errors.Final(
                f"{self._what}: must go on at byte {self._size}, the answer's content-range is {value!a}",
                side="registry",
                reason="DigestMismatch",
            )
        return self._size

    def _feed(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._layer.size:
            raise self._mismatch(f"must have {self._layer.size} bytes, more came")
        self._hash.update(piece)
        if self._fault is None:
            try:
                self._unpacker.feed(piece)
            except errors.Final as fault:
                self._fault = fault  # counts only once the bytes are what was asked for

    def _finish(self) -> bytes:
        if self._size != self._layer.size:
            raise self._mismatch(f"must have {self._layer.size} bytes, {self._size} came")
        found = Digest(self._hash.hexdigest())
        if found != self._layer.digest:
            raise self._mismatch(f"must have that digest, found {found}")
        if self._fault is not None:
            raise self._fault
        return self._unpacker.finish()

    def _mismatch(self, message: str) -> errors.Final:
        return errors.Final(f"{self._what}: {message}", side="registry", reason="DigestMismatch")
