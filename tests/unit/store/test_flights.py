"""Single flight."""

import asyncio

import pytest

from autowasm.store import flights


class _Work:
    """Counts how often it began; ends when it is told to."""

    def __init__(self):
        self.began = 0
        self.running = asyncio.Event()
        self.may_end = asyncio.Event()

    async def __call__(self):
        self.began += 1
        self.running.set()
        await self.may_end.wait()
        return "done"


def test_one_work_for_all():
    """Callers of one key at the same time share one work and its result."""

    async def scenario():
        flying, work = flights.Flights(), _Work()
        callers = [asyncio.create_task(flying.run("key", work)) for _ in range(20)]
        await work.running.wait()
        work.may_end.set()
        return await asyncio.gather(*callers), work.began

    assert asyncio.run(scenario()) == (["done"] * 20, 1)


def test_next_call_works_anew():
    """Once a work has ended, the next caller starts another."""

    async def scenario():
        flying, work = flights.Flights(), _Work()
        work.may_end.set()
        await flying.run("key", work)
        await flying.run("key", work)
        return work.began

    assert asyncio.run(scenario()) == 2


def test_keys_do_not_wait_for_each_other():
    """A work that hangs holds no other key."""

    async def scenario():
        flying, stuck, free = flights.Flights(), _Work(), _Work()
        caller = asyncio.create_task(flying.run("stuck", stuck))
        await stuck.running.wait()
        free.may_end.set()
        result = await flying.run("free", free)
        caller.cancel()
        await flying.close()
        return result

    assert asyncio.run(scenario()) == "done"


def test_caller_that_gives_up_ends_nothing():
    """A cancelled caller leaves the work to the others."""

    async def scenario():
        flying, work = flights.Flights(), _Work()
        first = asyncio.create_task(flying.run("key", work))
        await work.running.wait()
        second = asyncio.create_task(flying.run("key", work))
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        work.may_end.set()
        return await second, work.began

    assert asyncio.run(scenario()) == ("done", 1)


def test_failure_reaches_every_caller_once():
    """All callers get the failure; the next call tries again."""

    async def scenario():
        flying = flights.Flights()
        gate = asyncio.Event()

        async def fails():
            await gate.wait()
            raise ValueError("broken")

        async def succeeds():
            return "healed"

        callers = [asyncio.create_task(flying.run("key", fails)) for _ in range(3)]
        gate.set()
        failures = await asyncio.gather(*callers, return_exceptions=True)
        return [str(failure) for failure in failures], await flying.run("key", succeeds)

    assert asyncio.run(scenario()) == (["broken"] * 3, "healed")


def test_close_ends_what_is_under_way():
    """After close nothing runs any more."""

    async def scenario():
        flying, work = flights.Flights(), _Work()
        caller = asyncio.create_task(flying.run("key", work))
        await work.running.wait()
        await flying.close()
        with pytest.raises(asyncio.CancelledError):
            await caller
        return len(asyncio.all_tasks())

    assert asyncio.run(scenario()) == 1
