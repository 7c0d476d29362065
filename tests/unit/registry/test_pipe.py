"""Pieces that are worked on in a thread while the next ones are read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator

import pytest

from autowasm.registry import pipe

PATIENCE = 20.0


async def _pieces(*pieces: bytes, end: BaseException | None = None) -> AsyncGenerator[bytes, None]:
    for piece in pieces:
        yield piece
    if end is not None:
        raise end


def test_in_order():
    """Each piece is worked on once, in order, and all of them are done at the end."""
    done: list[bytes] = []
    asyncio.run(pipe.through(_pieces(b"a", b"b", b"c"), done.append))
    assert done == [b"a", b"b", b"c"]


def test_reads_ahead():
    """While the thread has a piece the next one is read: here it waits for that."""
    read, done = threading.Event(), []

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"a"
        read.set()
        yield b"b"

    def work(piece: bytes) -> None:
        assert read.wait(PATIENCE)
        done.append(piece)

    asyncio.run(pipe.through(pieces(), work))
    assert done == [b"a", b"b"]


def test_reading_fails():
    """Where the reading fails, what had come is done before that is raised."""
    done: list[bytes] = []
    with pytest.raises(ConnectionError):
        asyncio.run(pipe.through(_pieces(b"a", b"b", end=ConnectionError()), done.append))
    assert done == [b"a", b"b"]


@pytest.mark.parametrize("end", [None, ConnectionError()])
def test_work_fails(end):
    """Where the work fails nothing more is worked on, and its error is what is raised, whatever the reading met."""
    seen: list[bytes] = []

    def work(piece: bytes) -> None:
        seen.append(piece)
        raise ValueError(piece)

    with pytest.raises(ValueError, match="b'a'"):
        asyncio.run(pipe.through(_pieces(b"a", *([b"b"] if end is None else []), end=end), work))
    assert seen == [b"a"]


def test_reading_is_closed():
    """The reading is closed when the work fails, not some time later."""
    closed: list[bool] = []

    async def pieces() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"a"
        finally:
            closed.append(True)

    def work(_piece: bytes) -> None:
        raise LookupError

    async def main() -> list[bool]:
        with pytest.raises(LookupError):
            await pipe.through(pieces(), work)
        return list(closed)

    assert asyncio.run(main()) == [True]
