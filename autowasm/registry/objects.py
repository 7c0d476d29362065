"""Modules from a plain URL (``spec.filter.source.object.url``): public object storage, any HTTP server.

What comes may be the bare module, gzip, zstd or a tar with plugin.wasm: ``oci.unpack`` sees which. A URL may
pin what it stands for, the SHA-256 of the bytes as they are served, in its fragment: ``...#sha256=<64 digits>``,
as Python's package index has it. Fragments are not sent to servers (RFC 3986, section 3.5).
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import Final

import httpx2

from autowasm import errors, limits
from autowasm.digest import Digest
from autowasm.net import failures, retry
from autowasm.oci import blame, errcode, unpack
from autowasm.registry import body

_PIN: Final = "sha256="


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server calls the version that it sent (RFC 9110, section 8.8); "" where it did not say."""

    etag: str = ""
    last_modified: str = ""

    def headers(self) -> dict[str, str]:
        """The fields that ask for another version than this."""
        both = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in both.items() if value}


NONE: Final = Validators()


@dataclass(frozen=True, slots=True)
class Fetched:
    """A module, and what its version is called."""

    module: bytes = field(repr=False)
    validators: Validators


@dataclass(frozen=True, slots=True)
class _Target:
    url: httpx2.URL
    pin: Digest | None


async def fetch(http: httpx2.AsyncClient, url: str, patience: retry.Patience | None = None) -> bytes:
    """The module at a URL.

    Raises: errors.Retry, errors.Final: side "object"; reasons BadURL, NotFound, Forbidden, Unauthorized,
    Unreachable, ObjectFault, TooManyRequests, NoModule, TooLarge, Refused, DigestMismatch.
    """
    target = _target(url)
    found = await retry.persist(lambda: _fetch(http, target, NONE), patience or retry.Patience())
    assert found is not None  # nothing was said that could be "not modified"
    return found.module


async def refresh(
    http: httpx2.AsyncClient, url: str, known: Validators, patience: retry.Patience | None = None
) -> Fetched | None:
    """The module at a URL, None where the server says that it is the known version still.

    Raises: as ``fetch``.
    """
    target = _target(url)
    return await retry.persist(lambda: _fetch(http, target, known), patience or retry.Patience())


def _target(url: str) -> _Target:
    try:
        target = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise _bad(f"must be a URL: {error}") from error
    if target.scheme not in ("http", "https") or not target.host:
        raise _bad(f"must begin with https:// or http:// and a host, found {url[:200]!a}")
    return _Target(target, _pin(target.fragment))


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


async def _fetch(http: httpx2.AsyncClient, target: _Target, known: Validators) -> Fetched | None:
    ask = failures.Ask("object", "GET", str(target.url))
    try:
        request = http.build_request("GET", target.url, headers=known.headers())
        response = await http.send(request, stream=True, follow_redirects=True)
        try:
            _check_tls(response, target, ask)
            if response.status_code == 304 and known != NONE:
                return None
            if response.status_code != 200:
                raise failures.of_status(ask, response, errcode.excerpt(await body.beginning(response)))
            return Fetched(await _module(response, target, ask), _validators(response))
        finally:
            await response.aclose()
    except failures.FOREIGN as error:
        raise failures.of_exception(ask, error) from error


def _check_tls(response: httpx2.Response, target: _Target, ask: failures.Ask) -> None:
    """Bytes that nothing pins are believed for the TLS they come over: it must not end on the way."""
    if target.pin is None and target.url.scheme == "https" and response.url.scheme != "https":
        raise errors.Final(
            f"refused: {ask}: must lead to https alone, leads to {ascii(response.url.host)[1:-1]} over http",
            side="object",
            reason="Refused",
            remedy="Pin the object in its URL: #sha256=<digest>.",
        )


def _validators(response: httpx2.Response) -> Validators:
    etag, modified = (response.headers.get(name, "") for name in ("etag", "last-modified"))
    return Validators(*(value if len(value) <= limits.VALIDATOR_CHARS else "" for value in (etag, modified)))


async def _module(response: httpx2.Response, target: _Target, ask: failures.Ask) -> bytes:
    unpacker = unpack.Unpacker(blame.Origin("object", f"answer to {ask}"))
    hashed = hashlib.sha256()
    size = 0
    async for piece in response.aiter_raw(limits.READ_BYTES):
        size += len(piece)
        if size > limits.MODULE_BYTES:
            raise errors.Final(
                f"too large: the answer to {ask} must have at most {limits.MODULE_BYTES} bytes",
                side="object",
                reason="TooLarge",
            )
        hashed.update(piece)
        await asyncio.to_thread(unpacker.feed, piece)
    found = Digest(hashed.hexdigest())
    if target.pin not in (None, found):
        raise errors.Final(
            f"answer to {ask}: must have the pinned digest {target.pin}, found {found}",
            side="object",
            reason="DigestMismatch",
        )
    return unpacker.finish()
