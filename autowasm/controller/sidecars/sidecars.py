"""Follows pods and fetches, and keeps the audience of each AutoWasm: what changed is counted again.

A name is counted a moment after something about it changed, and not more often than its size allows.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from autowasm.controller import bell
from autowasm.controller.sidecars import account, pods, records, targets
from autowasm.controller.sidecars.agenda import Agenda
from autowasm.controller.sidecars.journal import Journal
from autowasm.controller.sidecars.lookout import Lookout
from autowasm.controller.sidecars.pods import Pod
from autowasm.controller.sidecars.scrape import Scraper
from autowasm.controller.sidecars.selection import Selection
from autowasm.controller.sidecars.targets import Target
from autowasm.istio.audience import Audience
from autowasm.kube.names import Key
from autowasm.kube.watch import Pace, Watch

_log = logging.getLogger(__name__)

PACE: Final = Pace(relist=1800.0)
"""Of the watch of pods: a list of ten thousand is a hundred megabytes, and a watch that resumes misses nothing."""

_MOMENT_SECONDS: Final = 0.03
_EACH_SECONDS: Final = 50e-6
"""A name is counted so long after a change, and again after its share of work: a part for each of its pods."""

_PATIENCE_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.5
"""How long, and how often, the first account of a name waits for the first look at its sidecars: a controller that
begins to lead must not say for a moment that nothing is loaded."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The watches. Pods are this package's own to follow; whoever follows the two others calls ``look``."""

    pods: Watch
    autowasms: Watch
    envoyfilters: Watch


@dataclass(frozen=True, slots=True)
class Site:
    """Where this is: the mesh's root namespace, our name as a writer, whether we lead, who is told what changed."""

    root: str
    manager: str
    leads: Callable[[], bool]
    changed: Callable[[Key], None]


class Sidecars:
    """Who runs what."""

    def __init__(self, sources: Sources, journal: Journal, scraper: Scraper, site: Site) -> None:
        self._sources = sources
        self._journal = journal
        self._site = site
        self._selection = Selection()
        self._lookout = Lookout(scraper, self._selection, site.leads, self._changed)
        self._audiences: dict[Key, Audience] = {}
        self._agenda: Agenda[Key] = Agenda()
        self._earliest: dict[Key, float] = {}
        self._at_address: dict[str, set[Key]] = {}
        self._bell = asyncio.Event()

    def jobs(self) -> Iterator[Coroutine[None, None, None]]:
        """What runs side by side until it is cancelled."""
        yield self._follow()
        yield self._count()
        yield self._lookout.run(self._journal.records)

    def audience(self, key: Key) -> Audience | None:
        """The audience of an AutoWasm; None while nothing is known of it."""
        return self._audiences.get(key)

    def totals(self) -> Mapping[str, int]:
        """How many pods with a sidecar are meant, were given what stands, and run it: a pod once for each AutoWasm."""
        known = self._audiences.values()
        return {
            "all": sum(one.pods for one in known),
            "fetched": sum(one.fetched for one in known),
            "loaded": sum(one.loaded for one in known),
        }

    def look(self, key: Key) -> None:
        """The AutoWasm of this name, or its EnvoyFilter, may have changed."""
        obj = self._sources.autowasms.objects.get(key)
        present = self._sources.envoyfilters.objects.get(key)
        before = self._selection.targets.get(key)
        target = targets.read(obj, present, self._site.root, self._site.manager)
        if target == before:
            return
        self._selection.put_target(key, target)
        if target is not None and target.vm and (before is None or before.vm != target.vm):
            self._begin(key, target)
        self._again(key)

    async def take(self, body: bytes) -> int:
        """Take in what a wasmer tells; the highest number that is known of it.

        Raises:
            ValueError: it is not as the contract has it.
        """
        told = records.read(body)
        for fetch in await self._journal.take(told):
            for name in self._at_address.get(fetch.address, ()):
                self._fetched(self._selection.pods[name], fetch)
        return self._journal.records.have(told.wasmer)

    async def _follow(self) -> None:
        async for key in self._sources.pods.changes():
            obj = self._sources.pods.objects.get(key)
            self._put(key, None if obj is None else pods.read(obj))

    def _put(self, key: Key, pod: Pod | None) -> None:
        before = self._selection.pods.get(key)
        if pod == before:
            return
        changed = {asker for one in (before, pod) if one for asker in self._selection.askers(one)}
        self._selection.put_pod(key, pod)
        self._move(key, before, pod)
        if pod is None or before is None or pod.life != before.life:
            self._lookout.forget(key)
        for asker in changed:
            self._again(asker)

    def _move(self, key: Key, before: Pod | None, pod: Pod | None) -> None:
        for address in before.addresses if before else ():
            self._at_address[address].discard(key)
            if not self._at_address[address]:
                del self._at_address[address]
        for address in pod.addresses if pod else ():
            self._at_address.setdefault(address, set()).add(key)

    def _begin(self, key: Key, target: Target) -> None:
        """Another version is to come: what was proven of the one before says nothing of it."""
        for pod in self._selection.members(target):
            if pod.sidecar:
                sight = self._lookout.sight(pod)
                sight.proven.pop(key, None)
                sight.stale = True
                self._lookout.soon(pod)

    def _fetched(self, pod: Pod, fetch: records.Fetch) -> None:
        askers = self._selection.askers(pod)
        touched = [key for key in askers if self._selection.targets[key].digest == fetch.digest]
        for key in touched:
            self._again(key)
        if touched and pod.sidecar:
            self._lookout.soon(pod)

    def _changed(self, pod: Pod) -> None:
        for key in self._selection.askers(pod):
            self._again(key)

    def _again(self, key: Key, at: float = 0.0) -> None:
        """Count it once more, then or a moment from now."""
        moment = time.monotonic() + _MOMENT_SECONDS
        self._agenda.put(key, max(moment, self._earliest.get(key, 0.0), at))
        self._bell.set()

    async def _count(self) -> None:
        """Count what changed, one name after the other. Endless."""
        await self._sources.pods.synced.wait()
        await self._sources.envoyfilters.synced.wait()
        while True:
            key = await bell.turn(self._bell, self._agenda.take, self._agenda.next)
            try:
                self._account(key)
            except Exception:
                # A fault of ours must not end the counts of all others.
                _log.exception("audience not counted", extra={"autowasm": str(key)})
            await asyncio.sleep(0)

    def _account(self, key: Key) -> None:
        target, now = self._selection.targets.get(key), time.monotonic()
        if target is None:
            self._earliest.pop(key, None)
            self._publish(key, None)
            return
        members = self._selection.members(target)
        world = account.World(self._journal.records, self._lookout.sights, time.time())
        made = account.account(key, target, members, world)
        self._earliest[key] = now + _MOMENT_SECONDS + _EACH_SECONDS * len(members)
        if made.again is not None:
            self._again(key, now + made.again - world.now)
        for pod in made.open:
            self._lookout.expect(pod)
        if made.unseen and key not in self._audiences and self._lookout.leading_for() < _PATIENCE_SECONDS:
            self._again(key, now + _PAUSE_SECONDS)
        else:
            self._publish(key, made.audience)

    def _publish(self, key: Key, audience: Audience | None) -> None:
        if audience == self._audiences.get(key):
            return
        if audience is None:
            del self._audiences[key]
        else:
            self._audiences[key] = audience
        if self._site.leads():
            self._site.changed(key)
