"""Asks one other program for one module: a peer (open) or a controller (with a token). Bounded and verified.

What is kept is the bytes of exactly that digest, else there is an error that says what to do: ``Final`` where the
source does not know the module, ``Retry`` for everything else. A module is never in memory whole: it is written as it
comes. Redirects are not followed: a token goes to
nobody but its addressee.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final, Protocol

import httpx2

from autowasm import errors, limits
from autowasm.digest import Digest
from autowasm.store.drafts import Draft

HOP_HEADER: Final = "x-autowasm-hop"
"""Marks a question from wasmer to wasmer: it is answered from the own store, or not at all."""

PROBE_SECONDS: Final = 0.5
"""How long a peer may take to say whether it has a module: what a dead peer costs a fill at most."""

CONNECT_SECONDS: Final = 2.0
"""Time-out of a connection: within a cluster it takes milliseconds, or one packet that is sent again after 1 s. What
a replica whose node is gone costs a fill."""

IDLE_SECONDS: Final = 5.0
"""Time-out of each silence in a transfer."""

TRANSFER_SECONDS: Final = 120.0
"""Time-out of a whole transfer: the largest module at some 2 MiB/s."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a module may be asked for.

    Attributes:
        side: what kind of program it is.
        url: by address, where a name has several.
        headers: may hold a token: they are never shown.
        name: the server's name as it was given; what a certificate must be for.
    """

    side: errors.Side
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    name: str = ""

    @property
    def extensions(self) -> dict[str, str]:
        """What the TLS handshake must know beside the URL."""
        return {"sni_hostname": self.name} if self.name else {}


async def has(http: httpx2.AsyncClient, source: Source) -> bool:
    """Whether the source has the module now; one that does not answer in time has not."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            answer = await http.head(
                source.url,
                headers=dict(source.headers),
                extensions=source.extensions,
                follow_redirects=False,
            )
    except (httpx2.HTTPError, TimeoutError):
        return False
    return answer.status_code == 200


class Shelf(Protocol):
    """Where modules are kept: ``store.blobs.Blobs``, or ``store.memory.Memory``."""

    def draft(self, size: int, /) -> AbstractContextManager[Draft]:
        """A place for so many bytes."""

    def keep(self, draft: Draft, /) -> Digest:
        """Keep what was written."""


async def module(http: httpx2.AsyncClient, source: Source, digest: Digest, shelf: Shelf) -> int:
    """Get the module and keep it; its size in bytes.

    Raises:
        errors.Final: reason NotFound, the source does not know it.
        errors.Retry: reasons Unreachable, Unauthorized, Forbidden, Fault, TooLarge, DigestMismatch; of side "store"
            where it can't be kept.
    """
    try:
        async with asyncio.timeout(TRANSFER_SECONDS):
            return await _transfer(http, source, digest, shelf)
    except TimeoutError as error:
        raise _retry(source, "Unreachable", f"not done within {TRANSFER_SECONDS:g} s") from error
    except httpx2.HTTPError as error:
        raise _retry(source, "Unreachable", f"{type(error).__name__}: {error}") from error


async def _transfer(http: httpx2.AsyncClient, source: Source, digest: Digest, shelf: Shelf) -> int:
    async with http.stream(
        "GET",
        source.url,
        headers=dict(source.headers),
        extensions=source.extensions,
        timeout=httpx2.Timeout(IDLE_SECONDS, connect=CONNECT_SECONDS),
        follow_redirects=False,
    ) as answer:
        _judge(source, answer.status_code)
        # What is announced is judged before the first byte, what is not as it comes.
        announced = int(answer.headers.get("content-length", "0"))
        _judge_size(source, announced)
        with shelf.draft(announced) as draft:
            await _write(source, answer, draft)
            if draft.digest != digest:
                found = draft.digest.short
                raise _retry(source, "DigestMismatch", f"must have digest {digest.short}, found {found}")
            await asyncio.to_thread(shelf.keep, draft)
            return draft.size


async def _write(source: Source, answer: httpx2.Response, draft: Draft) -> None:
    pending = bytearray()
    async for chunk in answer.aiter_bytes():
        pending += chunk
        _judge_size(source, draft.size + len(pending))
        if len(pending) >= limits.READ_BYTES:
            await asyncio.to_thread(draft.write, bytes(pending))
            pending.clear()
    await asyncio.to_thread(draft.write, bytes(pending))


# What an answer other than 200 means, where it means something of its own.
_REASONS: Final = {401: "Unauthorized", 403: "Forbidden"}


def _judge(source: Source, status: int) -> None:
    if status == 404:
        raise errors.Final(f"GET {source.url}: not known there", side=source.side, reason="NotFound")
    if status != 200:
        raise _retry(source, _REASONS.get(status, "Fault"), f"must answer 200, found {status}")


def _judge_size(source: Source, size: int) -> None:
    if size > limits.MODULE_BYTES:
        raise _retry(source, "TooLarge", f"must have at most {limits.MODULE_BYTES} bytes, found {size}")


def _retry(source: Source, reason: str, what: str) -> errors.Retry:
    return errors.Retry(f"GET {source.url}: {what}", side=source.side, reason=reason)
