"""Bounds for servers that answer a byte now and then, or byte by byte: each read is in time, and the whole never ends.

Time that the reader takes for its own work is not the server's. The connection pool's time-outs stay what
they are, for servers that say nothing at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2

from autowasm import limits


class TooSlow(httpx2.TransportError):
    """The server answers, but slower than the least pace, or in pieces that take more work than they bring."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The least that a server must do.

    ``answer``: seconds until it must have sent the header of its answer, from the request's last byte at the
    least pace. ``grace``: seconds of waiting for a body before the pace counts. ``least``: bytes a second.
    """

    answer: float = limits.ANSWER_SECONDS
    grace: float = limits.SLOW_GRACE_SECONDS
    least: int = limits.SLOWEST_BYTES_PER_SECOND


class Transport(httpx2.AsyncBaseTransport):
    """Another transport, its answers bound to a pace."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, pace: Pace) -> None:
        self._inner = inner
        self._pace = pace

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it; the answer's header must come in time. Raises TooSlow."""
        length = request.headers.get("content-length", "")
        patience = self._pace.answer + (int(length) / self._pace.least if length.isdigit() else 0)
        try:
            async with asyncio.timeout(patience):
                response = await self._inner.handle_async_request(request)
        except TimeoutError as error:
            raise TooSlow(f"no answer within {patience:.3g} seconds") from error
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Stream(response.stream, self._pace)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class _Stream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, pace: Pace) -> None:
        self._inner = inner
        self._pace = pace

    async def __aiter__(self) -> AsyncIterator[bytes]:
        now = asyncio.get_running_loop().time
        waited, size, pieces = 0.0, 0, 0
        began = now()
        async for piece in self._inner:
            waited += now() - began
            size += len(piece)
            pieces += 1
            if pieces > limits.CRUMBS and size < pieces * limits.CRUMB_BYTES:
                raise TooSlow(f"{size} bytes in {pieces} pieces, least is {limits.CRUMB_BYTES} a piece")
            if waited > self._pace.grace and size < waited * self._pace.least:
                raise TooSlow(f"{size} bytes in {waited:.3g} seconds, least is {self._pace.least} a second")
            yield piece
            began = now()

    async def aclose(self) -> None:
        await self._inner.aclose()
