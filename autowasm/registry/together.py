"""Several exchanges at once, few enough for a registry to bear; the first failure ends the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Final, TypeVar

AT_ONCE: Final = 4
"""Blobs on their way at the same time: about as many as Docker's client has (3 down, 5 up)."""

T = TypeVar("T")


async def together(jobs: Iterable[Awaitable[T]]) -> list[T]:
    """The results in the order of the jobs; raises what the first failing one raises."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def through(job: Awaitable[T]) -> T:
        async with gate:
            return await job

    tasks = [asyncio.ensure_future(through(job)) for job in jobs]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
