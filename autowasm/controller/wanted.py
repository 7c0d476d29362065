"""Which modules must stay to be had: what our EnvoyFilters name, and what was about to be, or was until lately.

A sidecar may ask for the module that it was told of some time after the EnvoyFilter has changed, and wasmers ask
for one before it does.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

from autowasm.controller import standing
from autowasm.digest import Digest
from autowasm.kube.names import Key

LATELY_SECONDS: Final = 1800.0
"""How long a module that is named no more stays wanted: longer than a sidecar tries to fetch one (FETCH_TRIES)."""

_MOST: Final = 4096


class Wanted:
    """What ``envoyfilters`` name, and what was noted lately. Any thread may ask, one notes."""

    def __init__(
        self, envoyfilters: Callable[[], Mapping[Key, Any]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._envoyfilters = envoyfilters
        self._clock = clock
        self._noted: OrderedDict[Digest, float] = OrderedDict()
        self._stood: dict[Key, Digest] = {}

    def look(self, key: Key) -> None:
        """The EnvoyFilter of this name may have changed, or gone: what it named until now was wanted lately."""
        found, before = _digest(self._envoyfilters().get(key)), self._stood.pop(key, None)
        if before is not None and before != found:
            self.note(before)
        if found is not None:
            self._stood[key] = found

    def note(self, digest: Digest) -> None:
        """This one is wanted now, though it may be in no EnvoyFilter."""
        self._noted[digest] = self._clock()
        self._noted.move_to_end(digest)
        while len(self._noted) > _MOST:
            self._noted.popitem(last=False)

    def by(self, digest: Digest) -> list[Key]:
        """The names whose EnvoyFilters name this module."""
        return [key for key, found in self._named() if found == digest]

    def lately(self, digest: Digest) -> bool:
        """Whether it was noted lately."""
        return self._clock() - self._noted.get(digest, float("-inf")) < LATELY_SECONDS

    def digests(self) -> set[Digest]:
        """All that is wanted."""
        lately = {digest for digest in list(self._noted) if self.lately(digest)}
        return lately | {digest for _, digest in self._named()}

    def _named(self) -> list[tuple[Key, Digest]]:
        # Copied at once: others ask from their threads.
        objects = list(self._envoyfilters().items())
        found = [(key, _digest(obj)) for key, obj in objects]
        return [(key, digest) for key, digest in found if digest is not None]


def _digest(envoyfilter: Mapping[str, Any] | None) -> Digest | None:
    if envoyfilter is None or not standing.ours(envoyfilter):
        return None
    return standing.digest_of(envoyfilter)
