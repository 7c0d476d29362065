"""Takes the Lease that says who writes from whoever has it, and holds it: every controller then only follows.

A controller that loses its Lease so believes for a while that it has it: at most for the Lease's time since its last
renewal, which cannot be younger than ours. Only after that nobody else begins to write.

Who dies while holding it is waited for as for a dead controller: then controllers take the Lease and bring back what
was taken out, as if nobody had come.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import secrets
import socket
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import lightkube

from autowasm import errors
from autowasm.kube import leases
from autowasm.kube.names import Key
from autowasm.kube.tenure import Tenure
from autowasm.net import retry

T = TypeVar("T")

_RENEWALS: Final = 3
"""Renewals while the Lease lasts."""

_PATIENCE: Final = retry.Patience(tries=8, base=0.1, ceiling=2.0)
"""A Lease that somebody renews at the same moment, an API server that starts again: seconds in all."""

_END_SECONDS: Final = 10.0
"""How long the last write of all may take: whoever ends this program waits as long."""


class Seat:
    """The Lease ``key``; ``seconds`` is how long it lasts after the last sign of this program."""

    def __init__(self, client: lightkube.AsyncClient, key: Key, seconds: int) -> None:
        self._client = client
        self._key = key
        self._seconds = seconds
        self._identity = f"autowasm-retire_{socket.gethostname()}_{secrets.token_hex(4)}"
        self._held: Tenure | None = None

    async def take(self) -> float:
        """Take the Lease; for how many seconds from now on its former holder may still write.

        Raises:
            errors.Error: side "cluster".
        """
        former = Tenure()

        async def attempt() -> Tenure:
            nonlocal former
            former = await leases.read(self._client, self._key)
            taken = former.transitions + bool(former.version)
            return await self._write(dataclasses.replace(former, transitions=taken, acquired=""))

        self._held = await retry.persist(attempt, _PATIENCE)
        return float(former.seconds) if former.holder else 0.0

    async def during(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work while the Lease is kept.

        Raises:
            errors.Error: the Lease could not be kept, and the work was cancelled; or as the work raises.
        """
        keeping, working = asyncio.ensure_future(self._keep()), asyncio.ensure_future(work)
        try:
            await asyncio.wait({keeping, working}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                await keeping
            return await working
        finally:
            for task in (keeping, working):
                task.cancel()
            await asyncio.gather(keeping, working, return_exceptions=True)

    async def leave(self, *, vacant: bool) -> None:
        """End: let the next one in at once where it is ``vacant``, else after the time that the Lease lasts.

        A Lease that cannot be reached lapses by itself.
        """
        if self._held is None:
            return
        with contextlib.suppress(errors.Error, TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                # Read anew: a renewal whose answer nobody waited for may have been written.
                found = await leases.read(self._client, self._key)
                if found.holder == self._identity:
                    await self._write(found, vacant=vacant)
        self._held = None

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._seconds / _RENEWALS)
            self._held = await retry.persist(self._renewed, _PATIENCE)

    async def _renewed(self) -> Tenure:
        found = await leases.read(self._client, self._key)
        if found.holder != self._identity:
            message = f"Lease {self._key}: must stay with this program, found holder {found.holder!r}"
            raise errors.Final(message, side="controller", reason="NotLeading")
        return await self._write(found)

    async def _write(self, found: Tenure, *, vacant: bool = False) -> Tenure:
        holder, seconds = ("", 1) if vacant else (self._identity, self._seconds)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        whole = dataclasses.replace(found, holder=holder, seconds=seconds)
        return await leases.write(self._client, self._key, whole, now)
