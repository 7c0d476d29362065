"""Secrets that refused names wait for: each is asked about every second, and only a changed one causes a new try.

The controller may read Secrets by name, not watch them. So only those are looked at that stand between an AutoWasm and
its image just now, and a registry is not asked again while nothing has changed.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from typing import Final, Protocol

from autowasm import errors
from autowasm.kube.names import Key

_log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 1.0

AT_ONCE: Final = 16
"""Questions on their way at the same time."""

A_ROUND: Final = 100
"""Secrets asked about in one round; where more are waited for they take turns."""


class Versions(Protocol):
    """Versions of Secrets."""

    def seen(self, key: Key) -> str | None:
        """The one that was last read."""
        ...

    async def version(self, key: Key) -> str:
        """The present one."""
        ...


class Rotations:
    """The names that wait, each for one Secret; ``every`` is the wait between two rounds, in seconds."""

    def __init__(self, versions: Versions, every: float = EVERY_SECONDS) -> None:
        self._versions = versions
        self._every = every
        self._waiting: dict[Key, tuple[Key, str | None]] = {}

    def wait(self, name: Key, secret: Key) -> None:
        """The secret, as it was last read, does not give this name its image."""
        self._waiting[name] = (secret, self._versions.seen(secret))

    def forget(self, name: Key) -> None:
        """This name does not wait for a Secret."""
        self._waiting.pop(name, None)

    async def run(self, changed: Callable[[Key], None]) -> None:
        """Call ``changed`` with each name whose Secret is another one than it was refused with. Endless."""
        start = 0
        while True:
            await asyncio.sleep(self._every)
            secrets = sorted({secret for secret, _ in self._waiting.values()})
            start = start % len(secrets) if secrets else 0
            due = list(itertools.islice(itertools.cycle(secrets), start, start + min(A_ROUND, len(secrets))))
            start += A_ROUND
            slots = asyncio.Semaphore(AT_ONCE)
            await asyncio.gather(*(self._look(secret, slots, changed) for secret in due))

    async def _look(self, secret: Key, slots: asyncio.Semaphore, changed: Callable[[Key], None]) -> None:
        try:
            async with slots:
                now = await self._versions.version(secret)
        except errors.Error as fault:
            _log.debug("secret out of reach", extra={"secret": str(secret), "why": str(fault)})
            return
        for name, (wanted, then) in list(self._waiting.items()):
            if wanted == secret and then != now:
                self._waiting[name] = (secret, now)
                changed(name)
