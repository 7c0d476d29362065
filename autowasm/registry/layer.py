"""A layer on its way: unpacked while it is read, verified, and gone on with where the connection was cut.

What was read stays read: a further try asks for the rest alone (RFC 9110, section 14), and takes the whole
where the server knows no ranges. Digest and size count over all pieces, whichever answer they came in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import httpx2

from autowasm import errors, limits
from autowasm.digest import Digest
from autowasm.oci import blame, manifest, unpack
from autowasm.registry import pipe, ranges
from autowasm.registry.auth import Access
from autowasm.registry.exchange import Call, Exchange

Told = Callable[[manifest.Descriptor, int], None]
"""Hears how many bytes of a layer have come; called in a thread."""


class Download:
    """One layer, over as many answers as it takes."""

    def __init__(self, layer: manifest.Descriptor, told: Told = lambda _layer, _at: None) -> None:
        self._layer = layer
        self._told = told
        self._hash = hashlib.sha256()
        self._size = 0
        self._origin = blame.Origin("registry", f"layer {layer.digest}")
        self._unpacker = unpack.Unpacker(self._origin)
        self._fault: errors.Final | None = None

    async def module(self, exchange: Exchange, access: Access) -> bytes:
        """The module in the layer. May be called again after an ``errors.Retry``, to go on.

        A try that got something is followed by the next at once: each brings the end nearer, so they end.

        Raises:
            errors.Error: TooLarge, DigestMismatch, NoModule, and whatever an exchange raises.
        """
        if self._layer.size > limits.MODULE_BYTES:
            raise self._origin.too_large(
                f"must have at most {limits.MODULE_BYTES} bytes, has {self._layer.size}"
            )
        while True:
            before = self._size
            try:
                await self._read(exchange, access)
                return self._finish()
            except errors.Retry:
                if self._size == self._layer.size:
                    return self._finish()  # cut after the last byte: there is no rest to ask for
                if not ranges.helped(before, self._size):
                    raise

    async def _read(self, exchange: Exchange, access: Access) -> None:
        url = httpx2.URL(f"{access.api}/blobs/{self._layer.digest}")
        call = Call("GET", url, (200, 206), ranges.ask(self._size, self._layer.size))
        async with exchange.open(call, access) as response:
            skipped = self._size - ranges.start(response, self._size, self._origin)
            await pipe.through(ranges.pieces(response, skipped), self._feed)

    def _feed(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._layer.size:
            raise self._origin.mismatch(f"must have {self._layer.size} bytes, more came")
        self._hash.update(piece)
        self._told(self._layer, self._size)
        if self._fault is None:
            try:
                self._unpacker.feed(piece)
            except errors.Final as fault:
                self._fault = fault  # counts only once the bytes are what was asked for

    def _finish(self) -> bytes:
        if self._size != self._layer.size:
            raise self._origin.mismatch(f"must have {self._layer.size} bytes, {self._size} came")
        found = Digest(self._hash.hexdigest())
        if found != self._layer.digest:
            raise self._origin.mismatch(f"must have that digest, found {found}")
        if self._fault is not None:
            raise self._fault
        return self._unpacker.finish()
