"""The client of the OCI distribution spec: resolve a reference, pull a module, push one, list, copy and delete.

Bytes are checked against digest and size while they are read; nothing unverified is returned. One client
serves many callers at once and keeps their credentials apart.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import httpx2

from autowasm import errors
from autowasm.digest import Digest
from autowasm.net import retry
from autowasm.oci import artifact, manifest
from autowasm.oci.reference import Reference
from autowasm.registry import copying, download, layer, listing, search, upload
from autowasm.registry.auth import Access
from autowasm.registry.credentials import Credentials
from autowasm.registry.exchange import Exchange
from autowasm.registry.together import together

A = TypeVar("A")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pulled:
    """A verified module. ``manifest`` is the digest that the reference stands for, be it an index's.

    The bytes are not part of its repr, as nowhere else: asyncio makes one of whatever a program ends with.
    """

    module: bytes = field(repr=False)
    module_digest: Digest
    manifest: Digest
    layout: str


@dataclass(frozen=True, slots=True)
class Party:
    """One side of a copy: an image, and who reads or writes it."""

    reference: Reference
    credentials: Credentials | None


class Registry:
    """Talks to registries.

    Args:
        http: the client to use; the caller closes it.
        plain_http: whether to use http for every registry; those on this host are asked so in any case.
        patience: how long a request is tried again.
    """

    def __init__(
        self, http: httpx2.AsyncClient, *, plain_http: bool = False, patience: retry.Patience | None = None
    ) -> None:
        self._exchange = Exchange(http)
        self._plain_http = plain_http
        self._patience = patience or retry.Patience()

    async def resolve(self, ref: Reference, credentials: Credentials | None) -> Digest:
        """The digest of the manifest that a reference stands for now, at the cost of one HEAD.

        Raises:
            errors.Retry, errors.Final: side "registry".
        """
        access = self._access(ref, credentials)
        return await retry.persist(lambda: download.resolve(self._exchange, access), self._patience)

    async def pull(self, ref: Reference, credentials: Credentials | None) -> Pulled:
        """The module that a reference stands for now: its manifest and the one blob that holds it are read.

        Raises:
            errors.Retry, errors.Final: side "registry".
        """
        manifest_digest, found = await self.find(ref, credentials)
        digest = await asyncio.to_thread(Digest.of, found.module)
        return Pulled(found.module, digest, manifest_digest, found.layout)

    async def find(
        self, ref: Reference, credentials: Credentials | None, told: layer.Told = lambda _layer, _at: None
    ) -> tuple[Digest, search.Found]:
        """What ``pull`` does but for the module's own digest, which takes a large one's caller some time.

        Returns: the digest that the reference stands for, and the module.

        Raises:
            errors.Retry, errors.Final: side "registry".
        """
        access = self._access(ref, credentials)
        top = await self._manifest(access, ref.selector)
        found = await search.Search(self._exchange, access, self._patience, told).module(top.document)
        return top.digest, found

    async def push(
        self,
        ref: Reference,
        module: bytes,
        credentials: Credentials | None,
        *,
        shape: Callable[[bytes], artifact.Artifact] = artifact.image,
    ) -> Digest:
        """Store a module under a reference and return the digest of the manifest that the registry stored.

        Args:
            ref: where to; with a digest in it, the manifest must come out as that.
            module: the bytes of the .wasm file.
            credentials: who pushes.
            shape: one of ``artifact.FORMATS``.

        Raises:
            errors.Usage: ``ref`` has another digest than the manifest.
            errors.Retry, errors.Final: side "registry".
        """
        return await self.store(ref, await asyncio.to_thread(shape, module), credentials)

    async def store(
        self,
        ref: Reference,
        made: artifact.Artifact,
        credentials: Credentials | None,
        manner: upload.Manner = upload.PLAINLY,
    ) -> Digest:
        """Store what a module was made into, and return the digest of the manifest that the registry stored.

        Raises:
            errors.Usage: ``ref`` has another digest than the manifest.
            errors.Retry, errors.Final: side "registry".
        """
        if ref.digest not in (None, made.digest):
            raise errors.Usage(f"reference {str(ref)!r}: must have the digest of the manifest, {made.digest}")
        access = self._access(ref, credentials, push=True)
        sendings = [upload.Sending(blob, manner) for blob in made.blobs]
        await together(self._persist(upload.send_blob, access, sending) for sending in sendings)
        return await self._persist(upload.send_manifest, access, made)

    async def copy(self, source: Party, target: Party, manner: upload.Manner = upload.PLAINLY) -> Digest:
        """Copy an image, of whatever kind, and return its digest, which stays the same.

        Raises:
            errors.Usage: ``target`` has another digest than the source.
            errors.Retry, errors.Final: side "registry".
        """
        origin = self._access(source.reference, source.credentials)
        goal = self._access(target.reference, target.credentials, push=True)
        if source.reference.registry == target.reference.registry:
            manner = dataclasses.replace(manner, mount=(*manner.mount, source.reference.repository))
        return await copying.Copier(self._exchange, origin, goal, self._patience, manner).copy()

    async def look(self, ref: Reference, credentials: Credentials | None) -> download.Stored:
        """The manifest or index that a reference stands for now. Raises errors.Retry, errors.Final."""
        return await self._manifest(self._access(ref, credentials), ref.selector)

    async def blob(self, ref: Reference, item: manifest.Descriptor, credentials: Credentials | None) -> bytes:
        """A blob of the reference's repository as it is. Raises errors.Retry, errors.Final."""
        return await self._persist(copying.fetch_blob, self._access(ref, credentials), item)

    async def tags(self, ref: Reference, credentials: Credentials | None) -> tuple[str, ...]:
        """All tags of the reference's repository. Raises errors.Retry, errors.Final."""
        access = self._access(ref, credentials)
        return await retry.persist(lambda: listing.tags(self._exchange, access), self._patience)

    async def delete(self, ref: Reference, credentials: Credentials | None) -> None:
        """Take a tag off, or delete a manifest by its digest. Raises errors.Retry, errors.Final."""
        access = self._access(ref, credentials, push=True)
        await retry.persist(lambda: listing.delete(self._exchange, access), self._patience)

    async def login(self, ref: Reference, credentials: Credentials) -> None:
        """Show credentials to the reference's registry. Raises errors.Retry, errors.Final where it refuses them."""
        access = self._access(ref, credentials)
        await retry.persist(lambda: listing.knock(self._exchange, access), self._patience)

    async def _manifest(self, access: Access, selector: str) -> download.Stored:
        return await self._persist(download.fetch_manifest, access, selector)

    async def _persist(
        self, step: Callable[[Exchange, Access, A], Awaitable[T]], access: Access, item: A
    ) -> T:
        return await retry.persist(lambda: step(self._exchange, access, item), self._patience)

    def _access(self, ref: Reference, credentials: Credentials | None, *, push: bool = False) -> Access:
        scheme = "http" if self._plain_http or ref.plain_http else "https"
        return Access(ref, credentials, scheme, push)
