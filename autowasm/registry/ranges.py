"""Bodies that come in several answers (RFC 9110, section 14): what is asked for, and where an answer begins."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Final

import httpx2

from autowasm import limits
from autowasm.net import failures
from autowasm.oci import blame

_RANGE: Final = re.compile(r"bytes ([0-9]{1,20})-[0-9]{1,20}/(?:[0-9]{1,20}|\*)")

_SOON: Final = 0.5
"""Seconds after which a smaller piece is given, too: somebody may look on."""


def ask(at: int, size: int | None = None) -> dict[str, str]:
    """The fields of a request for what comes from byte ``at`` on; its end is said where the size is known.

    Without the end, which the RFC leaves away, the registry of go-containerregistry refuses it.
    """
    return {"Range": f"bytes={at}-{'' if size is None else size - 1}"} if at else {}


def start(response: httpx2.Response, at: int, origin: blame.Origin) -> int:
    """The offset at which an answer begins: ``at``, or 0 where the server sends the whole.

    Raises:
        errors.Final: reason DigestMismatch: it begins elsewhere.
    """
    if response.status_code != 206:
        return 0
    value = response.headers.get("content-range", "")
    found = _RANGE.fullmatch(value)
    if found is None or int(found[1]) != at:
        raise origin.mismatch(f"must go on at byte {at}, the answer's content-range is {value[:60]!a}")
    return at


def helped(before: int, now: int) -> bool:
    """Whether a try that was cut brought enough for the next one to begin at once: so they end."""
    return now - before >= limits.RESUME_BYTES


async def pieces(response: httpx2.Response, skipped: int = 0) -> AsyncGenerator[bytes, None]:
    """The body without so many of its first bytes, in large pieces. Where it is cut, what came of it comes first."""
    held = bytearray()
    now = asyncio.get_running_loop().time
    until = now() + _SOON
    try:
        async for piece in response.aiter_raw():
            held += piece[skipped:]
            skipped = max(0, skipped - len(piece))
            if len(held) >= limits.READ_BYTES or (held and now() >= until):
                yield bytes(held)
                held.clear()
                until = now() + _SOON
    except failures.FOREIGN:
        if held:
            yield bytes(held)
        raise
    if held:
        yield bytes(held)
