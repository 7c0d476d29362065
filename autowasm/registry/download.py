"""The reading half of the distribution spec: which manifest, the manifest itself, a blob. One try each."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Final

import httpx2

from autowasm import errors, limits
from autowasm.digest import Digest
from autowasm.oci import blame, manifest, unpack
from autowasm.registry import body
from autowasm.registry.auth import Access
from autowasm.registry.exchange import Call, Exchange

_PIECE: Final = 1024 * 1024  # of a download: one step of hashing and unpacking, in a thread
_ACCEPT: Final = {"Accept": manifest.ACCEPT}
_NO_HEAD: Final = frozenset({400, 405, 501})  # servers that know no HEAD of a manifest


@dataclass(frozen=True, slots=True)
class Stored:
    """A manifest or index as the registry has it; ``data`` are its own bytes."""

    digest: Digest
    document: manifest.Manifest | manifest.Index
    data: bytes


async def resolve(exchange: Exchange, access: Access) -> Digest:
    """The digest of what a reference stands for: by HEAD, by GET where the answer to that says too little."""
    reference = access.reference
    call = Call("HEAD", _manifest_url(access, reference.selector), (200, *_NO_HEAD), _ACCEPT)
    async with exchange.open(call, access) as response:
        digest = announced(response) if response.status_code == 200 else None
    if digest is None:
        return (await fetch_manifest(exchange, access, reference.selector)).digest
    _same(digest, reference.digest, f"manifest of {reference}")
    return digest


async def fetch_manifest(exchange: Exchange, access: Access, selector: str) -> Stored:
    """A manifest by tag or digest.

    Raises: errors.Error: DigestMismatch: the bytes are not what was asked for, or not what the registry says
    they are; BadManifest, TooLarge, and whatever an exchange raises.
    """
    call = Call("GET", _manifest_url(access, selector), headers=_ACCEPT)
    async with exchange.open(call, access) as response:
        data = await body.read(response, limits.MANIFEST_BYTES, call.ask)
    digest = Digest.of(data)
    wanted = Digest.parse(selector) if selector.startswith("sha256:") else announced(response)
    _same(digest, wanted, f"manifest of {access.reference.repository}:{selector}")
    return Stored(digest, manifest.parse(data, response.headers.get("content-type", "")), data)


async def fetch_module(exchange: Exchange, access: Access, layer: manifest.Descriptor) -> bytes:
    """The module in a layer, unpacked while it is read.

    Raises:
        errors.Error: TooLarge, DigestMismatch, NoModule, and whatever an exchange raises.
    """
    if layer.size > limits.MODULE_BYTES:
        raise errors.Final(
            f"layer {layer.digest}: must have at most {limits.MODULE_BYTES} bytes, has {layer.size}",
            side="registry",
            reason="TooLarge",
        )
    verified = _Verified(layer)
    call = Call("GET", httpx2.URL(f"{access.api}/blobs/{layer.digest}"))
    async with exchange.open(call, access) as response:
        async for piece in response.aiter_raw(_PIECE):
            await asyncio.to_thread(verified.feed, piece)
    return verified.finish()


class _Verified:
    """Hashes and unpacks what is read. A fault of the bytes counts only once they are what was asked for."""

    def __init__(self, layer: manifest.Descriptor) -> None:
        self._layer = layer
        self._hash = hashlib.sha256()
        self._size = 0
        self._unpacker = unpack.Unpacker(blame.Origin("registry", f"layer {layer.digest}"))
        self._fault: errors.Final | None = None

    def feed(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._layer.size:
            raise self._mismatch(f"must have {self._layer.size} bytes, more came")
        self._hash.update(piece)
        if self._fault is None:
            try:
                self._unpacker.feed(piece)
            except errors.Final as fault:
                self._fault = fault

    def finish(self) -> bytes:
        if self._size != self._layer.size:
            raise self._mismatch(f"must have {self._layer.size} bytes, {self._size} came")
        _same(Digest(self._hash.hexdigest()), self._layer.digest, f"layer {self._layer.digest}")
        if self._fault is not None:
            raise self._fault
        return self._unpacker.finish()

    def _mismatch(self, message: str) -> errors.Final:
        return errors.Final(
            f"layer {self._layer.digest}: {message}", side="registry", reason="DigestMismatch"
        )


def _manifest_url(access: Access, selector: str) -> httpx2.URL:
    return httpx2.URL(f"{access.api}/manifests/{selector}")


def announced(response: httpx2.Response) -> Digest | None:
    """The digest that a registry says a manifest has, None where it says none that counts here."""
    try:
        return Digest.parse(response.headers.get("docker-content-digest", ""))
    except ValueError:
        return None  # said nothing, or in another algorithm: the bytes themselves will tell


def _same(found: Digest, wanted: Digest | None, what: str) -> None:
    if wanted is not None and found != wanted:
        raise errors.Final(
            f"{what}: must have digest {wanted}, found {found}", side="registry", reason="DigestMismatch"
        )
