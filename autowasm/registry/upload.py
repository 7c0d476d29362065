"""The writing half of the distribution spec: a blob (POST, then PUT), a manifest (PUT). One try each."""

from __future__ import annotations

from urllib.parse import quote

import httpx2

from autowasm import errors
from autowasm.digest import Digest
from autowasm.net import failures
from autowasm.oci import artifact
from autowasm.registry import download
from autowasm.registry.auth import Access
from autowasm.registry.exchange import Call, Exchange


async def send_blob(exchange: Exchange, access: Access, blob: artifact.Blob) -> None:
    """Have the registry hold a blob; nothing is sent where it does already."""
    look = Call("HEAD", httpx2.URL(f"{access.api}/blobs/{blob.digest}"), (200, 404))
    async with exchange.open(look, access) as response:
        if response.status_code == 200:
            return
    where = await _begin(exchange, access)
    send = Call(
        "PUT",
        _with_digest(where, blob.digest),
        (201, 204),
        {"Content-Type": "application/octet-stream"},
        blob.data,
    )
    try:
        async with exchange.open(send, access):
            pass
    except errors.Final as error:
        if error.reason != "NotFound":
            raise
        # The upload is gone, as after a restart of the registry: another one may be begun.
        raise errors.Retry(error.message, side="registry", reason="RegistryFault") from error


async def send_manifest(exchange: Exchange, access: Access, made: artifact.Artifact) -> Digest:
    """Store a manifest under the reference; the digest is what the registry stored, and is what was sent.

    Raises:
        errors.Error: DigestMismatch: the registry stored something else.
    """
    url = httpx2.URL(f"{access.api}/manifests/{access.reference.selector}")
    call = Call("PUT", url, (200, 201, 202), {"Content-Type": made.media_type}, made.manifest)
    async with exchange.open(call, access) as response:
        stored = download.announced(response)
    if stored is None:
        stored = await download.resolve(exchange, access)
    if stored != made.digest:
        raise errors.Final(
            f"manifest of {access.reference}: must have digest {made.digest}, the registry stored {stored}",
            side="registry",
            reason="DigestMismatch",
        )
    return stored


async def _begin(exchange: Exchange, access: Access) -> httpx2.URL:
    """Where the bytes go: begins an upload."""
    call = Call("POST", httpx2.URL(f"{access.api}/blobs/uploads/"), (202,), content=b"")
    async with exchange.open(call, access) as response:
        location = response.headers.get("location")
    if not location:
        raise errors.Final(
            f"upload: the answer to {call.ask} must have a location, it has none",
            side="registry",
            reason="RegistryFault",
        )
    try:
        return _upgraded(call.url.join(location), call.url)
    except failures.FOREIGN as error:
        raise failures.of_exception(call.ask, error) from error


def _upgraded(url: httpx2.URL, asked: httpx2.URL) -> httpx2.URL:
    # Registries behind a proxy that ends TLS often name themselves by http: going there leaks the module.
    if asked.scheme == "https" and url.scheme == "http" and url.host == asked.host:
        return url.copy_with(scheme="https", port=asked.port)
    return url


def _with_digest(url: httpx2.URL, digest: Digest) -> httpx2.URL:
    # The query is the registry's own, perhaps signed: it is added to and not written anew.
    text = str(url)
    return httpx2.URL(f"{text}{'&' if '?' in text else '?'}digest={quote(str(digest), safe='')}")
