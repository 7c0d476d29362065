"""Pieces of a body on their way through a thread: it works on one while the next is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing


async def through(pieces: AsyncGenerator[bytes, None], work: Callable[[bytes], None]) -> None:
    """Have the work done on each piece, in order; at its end all that came is done, also where the reading failed.

    Raises: what the work raises, else what the reading does.
    """
    under_way: asyncio.Future[None] | None = None
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                if under_way is not None:
                    await under_way
                under_way = asyncio.ensure_future(asyncio.to_thread(work, piece))
    finally:
        if under_way is not None:
            await under_way
