"""Waiting for a turn: until something is due, or somebody rings because something new may be."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def turn(bell: asyncio.Event, take: Callable[[float], T | None], due: Callable[[], float | None]) -> T:
    """What has its turn, once something has.

    Args:
        bell: is set whenever something was put in.
        take: what has its turn at this time (seconds, monotonic), taken out; None where nothing has.
        due: when the next turn is by itself; None where only the bell can tell.
    """
    while True:
        bell.clear()
        now = time.monotonic()
        found = take(now)
        if found is not None:
            return found
        at = due()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if at is None else max(at - now, 0.0)):
                await bell.wait()
