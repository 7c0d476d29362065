"""An image from one repository to another, of whatever kind: its bytes stay as they are, and so its digest.

Blobs that are there already are not fetched; within one registry they are mounted. Each is verified on the way, and a
large one is never held as a whole.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import httpx2

from autowasm import errors, limits
from autowasm.digest import Digest
from autowasm.net import retry
from autowasm.oci import artifact, manifest
from autowasm.registry import body, download, stream, upload
from autowasm.registry.auth import Access
from autowasm.registry.exchange import Call, Exchange
from autowasm.registry.together import together

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Copier:
    """From ``source`` to ``target``; ``manner`` tells of progress and where blobs may be mounted from."""

    exchange: Exchange
    source: Access
    target: Access
    patience: retry.Patience
    manner: upload.Manner = upload.PLAINLY

    async def copy(self) -> Digest:
        """Copy what the source's reference stands for; the digest is the same on both sides.

        Raises:
            errors.Usage: the target has a digest, and another one.
            errors.Retry, errors.Final: side "registry".
        """
        top = await self._manifest(self.source.reference.selector)
        if self.target.reference.digest not in (None, top.digest):
            raise errors.Usage(
                f"reference {str(self.target.reference)!r}: must have the digest of the source, {top.digest}"
            )
        return await self._move(top, self.target, limits.INDEX_DEPTH)

    async def _move(self, stored: download.Stored, target: Access, depth: int) -> Digest:
        document = stored.document
        if isinstance(document, manifest.Index):
            for item in document.manifests:
                await self._child(item, depth)
        else:
            blobs = {item.digest: item for item in (document.config, *document.layers)}
            await together(self._blob(item) for item in blobs.values())
        made = artifact.Artifact(document.media_type, stored.data, stored.digest, ())
        return await self._persist(lambda: upload.send_manifest(self.exchange, target, made))

    async def _child(self, item: manifest.Descriptor, depth: int) -> None:
        if depth == 0:
            raise errors.Final(
                f"index: must nest at most {limits.INDEX_DEPTH} deep, {item.digest} is deeper",
                side="registry",
                reason="BadManifest",
            )
        child = await self._manifest(str(item.digest))
        pinned = dataclasses.replace(self.target, reference=self.target.reference.at(child.digest))
        await self._move(child, pinned, depth - 1)

    async def _blob(self, item: manifest.Descriptor) -> None:
        _check_size(item)
        flow = stream.Stream(self.exchange, self.source, item)
        sending = upload.Sending(flow, self.manner)
        if stream.small(item):
            if await self._persist(lambda: upload.without(self.exchange, self.target, sending)):
                self.manner.told(flow, flow.size)
                return
            data = await self._persist(lambda: fetch_blob(self.exchange, self.source, item))
            sending.blob = artifact.Blob(item.media_type, data, item.digest)
        try:
            await self._persist(lambda: upload.send_blob(self.exchange, self.target, sending))
        except stream.SourceError as failed:
            raise failed.error from failed

    async def _manifest(self, selector: str) -> download.Stored:
        return await self._persist(lambda: download.fetch_manifest(self.exchange, self.source, selector))

    async def _persist(self, step: Callable[[], Awaitable[T]]) -> T:
        return await retry.persist(step, self.patience)


async def fetch_blob(exchange: Exchange, access: Access, item: manifest.Descriptor) -> bytes:
    """The bytes of a blob as they are, verified.

    Raises:
        errors.Error: TooLarge, DigestMismatch, and whatever an exchange raises.
    """
    _check_size(item)
    call = Call("GET", httpx2.URL(f"{access.api}/blobs/{item.digest}"))
    async with exchange.open(call, access) as response:
        data = await body.read(response, item.size, call.ask)
    if Digest.of(data) != item.digest:
        message = f"blob {item.digest}: must have that digest, {len(data)} bytes of another one came"
        raise errors.Final(message, side="registry", reason="DigestMismatch")
    return data


def _check_size(item: manifest.Descriptor) -> None:
    if item.size > limits.MODULE_BYTES:
        message = f"blob {item.digest}: must have at most {limits.MODULE_BYTES} bytes, has {item.size}"
        raise errors.Final(message, side="registry", reason="TooLarge")
