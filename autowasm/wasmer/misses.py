"""How many modules that are not there one address may wait for: each costs a question to every controller."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Iterator

from autowasm import errors, limits
from autowasm.digest import Digest


class Misses:
    """Who waits for what; ``most`` modules an address, however often it asks for each."""

    def __init__(self, most: int = limits.MISSES_PER_ADDRESS) -> None:
        self._most = most
        self._waits: dict[str, collections.Counter[Digest]] = {}

    @contextlib.contextmanager
    def of(self, address: str, digest: Digest) -> Iterator[None]:
        """One wait.

        Raises:
            errors.Retry: reason TooManyRequests, the address waits for too many modules already.
        """
        waits = self._waits.setdefault(address, collections.Counter())
        if digest not in waits and len(waits) >= self._most:
            message = f"address {address}: must wait for at most {self._most} modules at a time"
            raise errors.Retry(message, side="wasmer", reason="TooManyRequests", after=1.0)
        waits[digest] += 1
        try:
            yield
        finally:
            waits[digest] -= 1
            if not waits[digest]:
                del waits[digest]
            if not waits:
                self._waits.pop(address, None)
