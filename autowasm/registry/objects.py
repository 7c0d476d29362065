"""Modules from a plain URL (``spec.filter.source.object.url``): public object storage, any HTTP server.

What comes may be the bare module, gzip, zstd or a tar with plugin.wasm: ``oci.unpack`` sees which. A URL may
pin what it stands for, the SHA-256 of the bytes as they are served, in its fragment: ``...#sha256=<64 digits>``,
as Python's package index has it. Fragments are not sent to servers (RFC 3986, section 3.5).
"""

from __future__ import annotations

from typing import Final

import httpx2

from autowasm import errors
from autowasm.digest import Digest
from autowasm.net import retry
from autowasm.registry.reading import NONE, Fetched, Reading, Target, Validators

__all__ = ["NONE", "Fetched", "Validators", "fetch", "refresh"]

_PIN: Final = "sha256="


async def fetch(http: httpx2.AsyncClient, url: str, patience: retry.Patience | None = None) -> bytes:
    """The module at a URL.

    Raises: errors.Retry, errors.Final: side "object"; reasons BadURL, NotFound, Forbidden, Unauthorized,
    Unreachable, ObjectFault, TooManyRequests, NoModule, TooLarge, Refused, DigestMismatch.
    """
    found = await refresh(http, url, NONE, patience)
    assert found is not None  # nothing was said that could be "not modified"
    return found.module


async def refresh(
    http: httpx2.AsyncClient, url: str, known: Validators, patience: retry.Patience | None = None
) -> Fetched | None:
    """The module at a URL, None where the server says that it is the known version still.

    Raises: as ``fetch``.
    """
    return await retry.persist(Reading(http, _target(url), known).module, patience or retry.Patience())


def _target(url: str) -> Target:
    try:
        target = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise _bad(f"must be a URL: {error}") from error
    if target.scheme not in ("http", "https") or not target.host:
        raise _bad(f"must begin with https:// or http:// and a host, found {url[:200]!a}")
    return Target(target, _pin(target.fragment))


def _pin(fragment: str) -> Digest | None:
    if not fragment.startswith(_PIN):
        return None
    try:
        return Digest.parse(f"sha256:{fragment.removeprefix(_PIN)}")
    except ValueError as error:
        said = (
            f"must have 64 lower-case hexadecimal digits after #sha256=, found {fragment[len(_PIN) :][:80]!a}"
        )
        raise _bad(said) from error


def _bad(message: str) -> errors.Final:
    return errors.Final(f"url: {message}", side="object", reason="BadURL")
