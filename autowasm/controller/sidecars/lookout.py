"""Looks at sidecars while something that they should run is unproven: at once after news, then with growing waits.

Nobody looks at a sidecar that has nothing to prove, nor on a controller that does not lead.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Final

from autowasm import errors
from autowasm.controller.sidecars.agenda import Agenda
from autowasm.controller.sidecars.evidence import Look
from autowasm.controller.sidecars.pods import Pod
from autowasm.controller.sidecars.records import Records
from autowasm.controller.sidecars.scrape import Scraper
from autowasm.controller.sidecars.selection import Selection
from autowasm.controller.sidecars.sights import Sight
from autowasm.controller.sidecars.targets import Target
from autowasm.kube.names import Key

_log = logging.getLogger(__name__)

_AT_ONCE: Final = 16
"""Sidecars that are looked at at the same time."""

_APART_SECONDS: Final = 0.01
"""Between the beginnings of two looks: ten thousand sidecars take some minutes, and the rest of the work goes on."""

_IDLE_SECONDS: Final = 0.5
"""How often it is asked whether this controller leads."""


class Lookout:
    """The sights of all sidecars; ``seen`` is told whose sidecar was looked at."""

    def __init__(
        self, scraper: Scraper, selection: Selection, leads: Callable[[], bool], seen: Callable[[Pod], None]
    ) -> None:
        self.sights: dict[Key, Sight] = {}
        self._scraper = scraper
        self._selection = selection
        self._leads = leads
        self._seen = seen
        self._agenda: Agenda[Key] = Agenda()
        self._busy: set[Key] = set()
        self._bell = asyncio.Event()
        self._led_at: float | None = None

    def leading_for(self) -> float:
        """For how many seconds this controller has looked at sidecars; 0.0 where it does not."""
        return 0.0 if self._led_at is None else time.monotonic() - self._led_at

    def sight(self, pod: Pod) -> Sight:
        """What is known of the present container of the pod's sidecar."""
        found = self.sights.get(pod.key)
        if found is None or found.life != pod.life:
            found = self.sights[pod.key] = Sight(pod.life)
        return found

    def soon(self, pod: Pod) -> None:
        """There is news: look at it now, and again soon."""
        self.sight(pod).news()
        self._put(pod.key, time.monotonic())

    def expect(self, pod: Pod) -> None:
        """Something is open there: look at it, now where nothing else is planned."""
        if pod.key not in self._agenda and pod.key not in self._busy:
            self.soon(pod)

    def forget(self, key: Key) -> None:
        """The pod of this name is gone, or another one."""
        self.sights.pop(key, None)
        self._agenda.drop(key)

    async def run(self, records: Records) -> None:
        """Look at the sidecars whose turn it is, a few at the same time. Endless."""
        slots = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            while True:
                key = await self._turn()
                await slots.acquire()
                group.create_task(self._look(key, records)).add_done_callback(lambda _: slots.release())
                await asyncio.sleep(_APART_SECONDS)

    async def _turn(self) -> Key:
        while True:
            self._bell.clear()
            now, leads = time.monotonic(), self._leads()
            self._led_at = (self._led_at or now) if leads else None
            key = self._agenda.take(now) if leads else None
            if key is not None:
                return key
            due = self._agenda.next() if leads else None
            rest = _IDLE_SECONDS if due is None else min(max(due - now, 0.0), _IDLE_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._bell.wait()
                    await asyncio.sleep(rest if not leads else 0.0)

    async def _look(self, key: Key, records: Records) -> None:
        pod = self._selection.pods.get(key)
        if pod is None or key in self._busy or not self._open(pod):
            return
        self._busy.add(key)
        try:
            await self._take(pod, records)
        except Exception:
            # A fault of ours must not end the looks at all others.
            _log.exception("sidecar not looked at", extra={"pod": str(key)})
        finally:
            self._busy.discard(key)
        self._put(key, time.monotonic() + self.sight(pod).wait())
        self._seen(pod)

    async def _take(self, pod: Pod, records: Records) -> None:
        sight, at = self.sight(pod), time.time()
        try:
            seen = await self._scraper.statistics(pod.addresses[0])
        except errors.Error as fault:
            sight.fault = f"its statistics cannot be read: {fault.message}"
        else:
            sight.take(Look(at, seen), pod, self._wanted(pod), records)
            _log.debug(
                "sidecar looked at",
                extra={"pod": str(pod.key), "seen": str(seen), "found": str(sight.finding)},
            )

    def _open(self, pod: Pod) -> bool:
        sight = self.sight(pod)
        return any(not sight.runs(key, target) for key, target in self._wanted(pod).items())

    def _wanted(self, pod: Pod) -> dict[Key, Target]:
        """All that should be in this sidecar."""
        found = (
            {key: self._selection.targets[key] for key in self._selection.askers(pod)} if pod.sidecar else {}
        )
        return {key: target for key, target in found.items() if target.digest is not None}

    def _put(self, key: Key, at: float) -> None:
        self._agenda.put(key, at)
        self._bell.set()
