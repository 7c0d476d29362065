"""Gives names their turns: watches put them into the queue, workers read, plan and act, a few at a time.

A turn without news is a glance: both objects of the name are as the last work left them. Our own writes are thus
no news, and a status that we write can never wake us in a circle. A glance writes at most what is said of whom the
filter reaches, which changes with every pod: it asks no registry, and ends no wait.

A work that takes long gives its slot back: names that hang on somebody slow hold up nobody else.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from autowasm import errors
from autowasm.controller import bell, marks, plan
from autowasm.controller.act import Outcome
from autowasm.controller.metrics import Metrics
from autowasm.controller.plan import Again
from autowasm.controller.queue import Queue, Turn
from autowasm.istio.conditions import Facts
from autowasm.kube.names import Key
from autowasm.kube.watch import Watch

_log = logging.getLogger(__name__)

AT_ONCE: Final = 24
"""Names that are looked at at the same time, beside those that hang on somebody slow. Writes have a bound of their
own (turns.py)."""

SLOW_SECONDS: Final = 2.0
"""After how long a work gives its slot back."""

REST_SECONDS: Final = 1.0
"""Least time between a work that changed something, or a glance, and the next glance at the same name: a thousand
pods that come and go are one write a second."""

FIRST_SECONDS: Final = 10.0
"""How long the first look at all names may hold up readiness: a registry that hangs must not keep the modules of
the others from being served."""


@dataclass(frozen=True, slots=True)
class Watches:
    """The two kinds that a name is made of."""

    autowasms: Watch
    envoyfilters: Watch

    def synced(self) -> bool:
        """Whether all that is in the cluster is known."""
        return self.autowasms.synced.is_set() and self.envoyfilters.synced.is_set()

    def names(self) -> set[Key]:
        """All names that are known."""
        return {*self.autowasms.objects, *self.envoyfilters.objects}

    def mark(self, key: Key) -> marks.Mark:
        """The mark of a name as it is now."""
        return marks.of(self.autowasms.objects.get(key), self.envoyfilters.objects.get(key))


@dataclass(frozen=True, slots=True)
class _Left:
    """How the last work left a name: its mark, and what its status says."""

    mark: marks.Mark
    found: Facts | None


class Workers:
    """The queue and those who work it off."""

    def __init__(
        self,
        watches: Watches,
        work: Callable[[Key], Awaitable[Outcome]],
        glance: Callable[[Key, Facts], Awaitable[marks.Mark | None]],
        metrics: Metrics,
    ) -> None:
        self._watches = watches
        self._work = work
        self._glance = glance
        self._metrics = metrics
        self._queue: Queue[Key] = Queue(spread=lambda: random.uniform(0.85, 1.15))
        self._left: dict[Key, _Left] = {}
        self._musts: set[Key] = set()
        self._resting: dict[Key, bool] = {}
        self._bell = asyncio.Event()
        self._first: set[Key] = set()
        self._first_ends: float | None = None

    def __len__(self) -> int:
        """How many names wait for their turn."""
        return len(self._queue)

    def through(self) -> bool:
        """Whether each name that was there at the start had a turn, or had FIRST_SECONDS for one."""
        if self._first_ends is None:
            return False
        return not self._first or time.monotonic() >= self._first_ends

    def add(self, key: Key) -> None:
        """Look at this name, if there is news about it."""
        self._queue.add(key)
        self._bell.set()

    def must(self, key: Key) -> None:
        """Look at this name, whatever is known about it."""
        self._musts.add(key)  # not told by forgetting: a work that is under way would remember
        self.add(key)

    def nudge(self, key: Key) -> None:
        """Glance at this name: whom it reaches may have changed. What comes too soon comes a little later."""
        if key in self._resting:
            self._resting[key] = True
        else:
            self._rest(key)
            self.add(key)

    def _rest(self, key: Key) -> None:
        if key not in self._resting:
            self._resting[key] = False
            asyncio.get_running_loop().call_later(REST_SECONDS, self._rested, key)

    def _rested(self, key: Key) -> None:
        if self._resting.pop(key):
            self.nudge(key)

    def must_all(self) -> None:
        """Look at every name, whatever is known about it."""
        for key in self._watches.names():
            self.must(key)

    async def follow(self, watch: Watch, others: Callable[[Key], Iterable[Key]] = lambda _: ()) -> None:
        """Add what changes, and the others whose turn comes with it. Endless."""
        async for key in watch.changes():
            for other in others(key):
                self.must(other)
            self.add(key)

    async def run(self) -> None:
        """Give turns until cancelled; what is at work then is cancelled too, but never between two writes."""
        await self._watches.autowasms.synced.wait()
        await self._watches.envoyfilters.synced.wait()
        self._first, self._first_ends = self._watches.names(), time.monotonic() + FIRST_SECONDS
        slots = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            while True:
                await slots.acquire()
                turn = await bell.turn(self._bell, self._queue.take, self._queue.next_due)
                _lend(slots, group.create_task(self._take(turn)))

    async def _take(self, turn: Turn[Key]) -> None:
        if turn.key in self._musts:
            self._musts.discard(turn.key)
            self._left.pop(turn.key, None)
        left = self._left.get(turn.key)
        if not turn.due and left is not None and left.mark == self._watches.mark(turn.key):
            await self._look_over(turn.key, left)
            self._queue.skip(turn.key)
        else:
            again = await self._look(turn.key)
            self._first.discard(turn.key)
            self._queue.done(turn.key, time.monotonic(), again)
        self._bell.set()

    async def _look(self, key: Key) -> Again | None:
        result, again = "failed", None
        try:
            with self._metrics.reconcile():
                outcome = await self._work(key)
            self._remember(key, outcome.mark, outcome.done.found)
            done, again = outcome.done, outcome.again
            changed = done.delete or done.write is not None or done.status is not None
            amiss = again is not None and again.cap > plan.NO_GROWTH
            result = "failed" if amiss else "changed" if changed else "unchanged"
        except errors.Error as fault:
            _log.warning("work failed", extra={"autowasm": str(key), "why": str(fault)})
            again = Again(plan.CAP_SECONDS, getattr(fault, "after", None) or 0.0)
        except Exception:
            # A fault of ours must neither end the other names' work nor spin.
            _log.exception("work broke", extra={"autowasm": str(key)})
            again = Again(plan.CAP_SECONDS)
        self._metrics.reconciles.labels(result).inc()
        return again

    async def _look_over(self, key: Key, left: _Left) -> None:
        if left.found is None:
            return
        try:
            mark = await self._glance(key, left.found)
        except errors.Error as fault:
            _log.warning("glance failed", extra={"autowasm": str(key), "why": str(fault)})
            self.nudge(key)
        else:
            if mark is not None:
                self._remember(key, mark, left.found)

    def _remember(self, key: Key, mark: marks.Mark | None, found: Facts | None) -> None:
        if mark is None or mark == marks.NOTHING:
            self._left.pop(key, None)
        else:
            self._left[key] = _Left(mark, found)


def _lend(slots: asyncio.Semaphore, task: asyncio.Task[None]) -> None:
    """Give the slot back when the task has ended, or is found to be slow."""
    lent = True

    def give_back() -> None:
        nonlocal lent
        if lent:
            lent = False
            slots.release()

    timer = asyncio.get_running_loop().call_later(SLOW_SECONDS, give_back)

    def ended(_: asyncio.Task[None]) -> None:
        timer.cancel()
        give_back()

    task.add_done_callback(ended)
