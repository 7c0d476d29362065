"""Servers that answer a byte now and then are left."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from autowasm import errors
from autowasm.net import failures, pace, session

HEADER = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
QUICK = pace.Pace(answer=0.3, grace=0.1, least=10_000)


@contextlib.asynccontextmanager
async def _dripping(start: bytes, drip: bytes) -> AsyncIterator[str]:
    """A server that answers with a start and then with drips."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(start)
            while not reader.at_eof():
                writer.write(drip)
                await writer.drain()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 0.01)  # the pace itself is what is tested

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/"


def _slow(start: bytes, drip: bytes) -> errors.Error:
    async def main() -> errors.Error:
        async with _dripping(start, drip) as url, session.client(timeout=5, least=QUICK) as http:
            try:
                async with http.stream("GET", url) as response:
                    async for _ in response.aiter_raw():
                        pass
            except failures.FOREIGN as error:
                return failures.of_exception(failures.Ask("registry", "GET", url), error)
            raise AssertionError

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("start", "drip"), [(HEADER, b"x"), (b"", b"H"), (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")]
)
def test_drip(start, drip):
    """A body or a header in drops ends within the pace, each drop being in time; the wait is the caller's."""
    error = _slow(start, drip)
    assert isinstance(error, errors.Retry)
    assert (error.reason, error.after) == ("Unreachable", 60.0)
    assert error.message.startswith("too slow: ")


def test_quick_enough():
    """A server within the pace is read, whatever the reader does meanwhile."""

    async def main() -> int:
        size = 0
        async with _dripping(HEADER, bytes(1000)) as url, session.client(timeout=5, least=QUICK) as http:
            response = await http.send(http.build_request("GET", url), stream=True)
            async for piece in response.aiter_raw():
                size += len(piece)
                if size > 30_000:
                    break
            await response.aclose()
        return size

    assert asyncio.run(main()) > 30_000
