"""One kind in the whole cluster, kept up to date: what is there now, and the names that changed.

A consumer gets names and reads the newest object from ``objects``: it acts on a state, never on an event.

- list, then watch from the list's version; a stream that ends or breaks is resumed from the last version.
- 410, and any other refusal of a resume, means list again; names that vanished meanwhile are changes too.
- a list at least every ``relist`` seconds heals what no event told; a stream silent for ``silence`` seconds
  counts as broken (bookmarks come once a minute).
- it never gives up: an API server that is away, or one that forbids, is asked again with a growing wait, and not
  before the time that it names itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass

import lightkube

from autowasm import errors
from autowasm.kube import faults, kinds
from autowasm.kube.names import Key, Object, key_of, version_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """Waits of a watch, in seconds; ``page`` is how many objects one list request asks for."""

    relist: float = 300.0
    silence: float = 90.0
    backoff: float = 0.2
    backoff_max: float = 5.0
    page: int = 500


class Watch:
    """The objects of ``kind`` in all namespaces. One task iterates ``changes``; everybody may read."""

    def __init__(self, client: lightkube.AsyncClient, kind: kinds.Kind, pace: Pace | None = None) -> None:
        self._client = client
        self._kind = kind
        self._pace = pace or Pace()
        self._objects: dict[Key, Object] = {}
        self._gone: dict[Key, int] = {}
        self._listed = 0
        self._relist_at = 0.0
        self._version: str | None = None
        self._failures = 0
        self.synced = asyncio.Event()
        """Set once the first list is complete."""

    @property
    def objects(self) -> Mapping[Key, Object]:
        """The newest known object of each name."""
        return self._objects

    @property
    def title(self) -> str:
        """The kind, for messages."""
        return self._kind.__name__

    def learn(self, obj: Object) -> None:
        """Take in what a write answered, so that the next look sees it before the watch tells.

        An object that is older than what is known, or than its own deletion, is ignored.
        """
        key, version = key_of(obj), version_of(obj)
        if version > max(self._listed, self._gone.get(key, 0)) and not self._knows(key, version):
            self._objects[key] = obj

    async def changes(self) -> AsyncIterator[Key]:
        """Yield the name of each object that appears, changes or vanishes; at first all. Endless."""
        while True:
            try:
                if self._version is None or time.monotonic() >= self._relist_at:
                    for key in await self._list():
                        yield key
                async for key in self._follow():
                    yield key
            except errors.Error as fault:
                await self._pause(fault)

    async def _list(self) -> list[Key]:
        """Replace what is known by what the server has; answer the names of both."""
        found: dict[Key, Object] = {}
        with faults.of(f"list of {self.title}"):
            pages = self._client.list(self._kind, namespace="*", chunk_size=self._pace.page)
            async for obj in pages:
                found[key_of(obj)] = obj
            version = pages.resourceVersion
        listed = int(version)
        # What a write told us and the list is too old to know stays; the watch from here on will tell more.
        newer = {key: obj for key, obj in self._objects.items() if version_of(obj) > listed}
        changed = self._objects.keys() | found.keys()
        self._objects = {**found, **newer}
        self._gone.clear()
        self._listed, self._version = listed, version
        self._relist_at = time.monotonic() + self._pace.relist
        self.synced.set()
        return sorted(changed)

    async def _follow(self) -> AsyncIterator[Key]:
        """Yield what the stream tells, from the last version on, until it is time to list again."""
        stream = self._client.watch(
            self._kind,
            namespace="*",
            server_timeout=int(self._pace.relist) + 30,
            resource_version=self._version,
        )
        async with contextlib.aclosing(aiter(stream)) as events:  # type: ignore[type-var]
            while (patience := min(self._relist_at - time.monotonic(), self._pace.silence)) > 0:
                try:
                    with faults.of(f"watch of {self.title}"):
                        async with asyncio.timeout(patience):
                            event, obj = await anext(events)
                except TimeoutError:
                    return
                self._failures = 0
                for key in self._take(event, obj):
                    yield key

    def _take(self, event: str, obj: Object) -> Iterator[Key]:
        self._version = obj["metadata"]["resourceVersion"]
        if event == "BOOKMARK":
            return
        key, version = key_of(obj), version_of(obj)
        if event == "DELETED":
            self._gone[key] = version
            if not self._knows(key, version + 1):
                self._objects.pop(key, None)
        elif not self._knows(key, version):
            self._objects[key] = obj
        yield key

    def _knows(self, key: Key, version: int) -> bool:
        known = self._objects.get(key)
        return known is not None and version_of(known) >= version

    async def _pause(self, fault: errors.Error) -> None:
        if fault.reason != "Unreachable":
            self._version = None  # the server refused the resume: only a new list can be trusted
        wait = min(self._pace.backoff * 2**self._failures, self._pace.backoff_max)
        asked = (fault.after if isinstance(fault, errors.Retry) else None) or 0.0
        wait = max(wait * random.uniform(0.8, 1.2), min(asked, self._pace.silence))
        self._failures = min(self._failures + 1, 16)
        _log.warning(
            "watch broken", extra={"kind": self.title, "why": str(fault), "again_in": round(wait, 2)}
        )
        await asyncio.sleep(wait)
