"""Manifests out of a registry: which one a reference stands for, and the document itself. One try each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import httpx2

from autowasm import errors, limits
from autowasm.digest import Digest
from autowasm.oci import manifest
from autowasm.registry import body
from autowasm.registry.auth import Access
from autowasm.registry.exchange import Call, Exchange

_ACCEPT: Final = {"Accept": manifest.ACCEPT}
_NO_HEAD: Final = frozenset({400, 405, 501})  # servers that know no HEAD of a manifest


@dataclass(frozen=True, slots=True)
class Stored:
    """A manifest or index as the registry has it; ``data`` are its own bytes."""

    digest: Digest
    document: manifest.Manifest | manifest.Index
    data: bytes = field(repr=False)


async def resolve(exchange: Exchange, access: Access) -> Digest:
    """The digest of what a reference stands for: by HEAD, by GET where the answer to that says too little."""
    reference = access.reference
    call = Call("HEAD", _manifest_url(access, reference.selector), (200, *_NO_HEAD), _ACCEPT)
    async with exchange.open(call, access) as response:
        digest = announced(response) if response.status_code == 200 else None
        await body.beginning(response)  # read to its end, a connection serves the next question too
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
