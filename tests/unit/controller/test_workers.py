"""Who gets a turn, and who holds up whom."""

from __future__ import annotations

import asyncio
import contextlib
import time

from autowasm import errors
from autowasm.controller import marks, plan, workers
from autowasm.controller.act import Outcome
from autowasm.controller.metrics import Metrics
from autowasm.controller.workers import Watches, Workers
from autowasm.istio import conditions
from autowasm.kube import kinds
from autowasm.kube.names import Key
from autowasm.kube.watch import Watch

FOUND = conditions.Facts(1)


class Scene:
    """Workers over watches that know some names; ``works`` and ``glances`` say what was looked at."""

    def __init__(self, *names: str) -> None:
        self.watches = Watches(Watch(None, kinds.AutoWasm), Watch(None, kinds.EnvoyFilter))
        for number, name in enumerate(names, 1):
            metadata = {
                "namespace": "ns",
                "name": name,
                "uid": name,
                "generation": 1,
                "resourceVersion": str(number),
            }
            self.watches.autowasms.learn({"metadata": metadata})
        self.works: list[str] = []
        self.glances: list[str] = []
        self.hang: dict[str, asyncio.Event] = {}
        self.failing_glances = 0
        self.workers = Workers(self.watches, self._work, self._glance, Metrics())

    async def _work(self, key: Key) -> Outcome:
        self.works.append(key.name)
        mark = self.watches.mark(key)
        if key.name in self.hang:
            await self.hang[key.name].wait()
        return Outcome(plan.Plan(found=FOUND), None, mark)

    async def _glance(self, key: Key, found: conditions.Facts) -> marks.Mark | None:
        assert found == FOUND
        self.glances.append(key.name)
        if self.failing_glances:
            self.failing_glances -= 1
            raise errors.Retry("it did not work", side="cluster", reason="ApiServerFault")
        return None

    @contextlib.asynccontextmanager
    async def running(self):
        """The workers at work, every name looked at once where nothing hangs."""
        self.watches.autowasms.synced.set()
        self.watches.envoyfilters.synced.set()
        for key in self.watches.names():
            self.workers.add(key)
        task = asyncio.create_task(self.workers.run())
        try:
            yield
        finally:
            assert not task.done()
            task.cancel()
            await asyncio.wait({task})


async def until(condition) -> None:
    """Wait for the condition."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


def test_one_that_must_be_looked_at_during_its_work():
    """What says during a work that the name must be looked at is not taken for old news afterwards."""

    async def scene() -> None:
        it = Scene("a")
        it.hang["a"] = asyncio.Event()
        async with it.running():
            await until(lambda: it.works == ["a"])
            it.workers.must(Key("ns", "a"))
            it.hang["a"].set()
            await until(lambda: it.works == ["a", "a"])

    asyncio.run(scene())


def test_no_news_is_a_glance():
    """A name about which nothing is new is not worked on again."""

    async def scene() -> None:
        it = Scene("a")
        async with it.running():
            await until(lambda: it.works)
            it.workers.add(Key("ns", "a"))
            await until(lambda: it.glances == ["a"])
        assert it.works == ["a"]

    asyncio.run(scene())


def test_a_thousand_nudges_are_two_glances():
    """The first nudge is a glance at once, all that follow in the next second are one more."""

    async def scene() -> None:
        it = Scene("a")
        async with it.running():
            await until(lambda: it.works)
            for _ in range(1000):
                it.workers.nudge(Key("ns", "a"))
            await until(lambda: it.glances == ["a"])
            it.workers.nudge(Key("ns", "a"))
            await until(lambda: len(it.glances) > 1)
            await until(lambda: not it.workers._resting)
        assert it.glances == ["a", "a"]

    asyncio.run(scene())


def test_a_glance_that_fails_comes_again():
    """What could not be written is tried again, though nothing else happens."""

    async def scene() -> None:
        it = Scene("a")
        it.failing_glances = 1
        async with it.running():
            await until(lambda: it.works)
            it.workers.nudge(Key("ns", "a"))
            await until(lambda: it.glances == ["a", "a"])

    asyncio.run(scene())


def test_the_slow_give_their_slots_back():
    """More names than there are slots hang, and another one is worked on all the same."""

    async def scene() -> None:
        slow = [f"slow-{number}" for number in range(3 * workers.AT_ONCE)]
        it = Scene(*slow)
        it.hang = {name: asyncio.Event() for name in slow}
        async with it.running():
            await until(lambda: len(it.works) >= workers.AT_ONCE)
            it.workers.add(Key("ns", "quick"))
            await until(lambda: "quick" in it.works)
            for event in it.hang.values():
                event.set()

    asyncio.run(scene())
