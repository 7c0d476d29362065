"""All filters of ours leave the mesh; AutoWasms stay, and say that they have none any more.

The controllers are made to follow first (``seat``), since they would bring back what is missing. Sidecars then get
time to drop the filter while wasmer is still there. What a write under way put back meanwhile is taken out again.
It ends with nothing of ours in the mesh, or with an error that names what is left.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import lightkube

from autowasm import errors
from autowasm.controller import standing
from autowasm.controller.observe import now
from autowasm.controller.retiring import farewell
from autowasm.controller.retiring.seat import Seat
from autowasm.istio import names
from autowasm.kube import faults, kinds, objects
from autowasm.kube.names import Key, Object, key_of
from autowasm.net import retry

T = TypeVar("T")

_SIDE_BY_SIDE: Final = 16
"""Requests at a time."""

_ROUNDS: Final = 5
"""How often what comes back is taken out again before somebody else must be at work."""

_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Wish:
    """Where AutoWasm is installed; how long, in seconds, sidecars get, and controllers hold still afterwards."""

    namespace: str
    settle: float
    hold: int


@dataclass(frozen=True, slots=True)
class Report:
    """What was done.

    Attributes:
        taken: AutoWasms whose filter was taken out of the mesh.
        without: AutoWasms that had none there.
        left: EnvoyFilters of somebody else's that make sidecars ask wasmer.
    """

    taken: tuple[Key, ...]
    without: tuple[Key, ...]
    left: tuple[Key, ...]


Tell = Callable[[str], None]


async def retire(client: lightkube.AsyncClient, wish: Wish, tell: Tell) -> Report:
    """Take every filter out of the mesh; ``tell`` hears what is waited for.

    Raises:
        errors.Error: some are left; the controllers are let in again, and bring back the others.
    """
    seat = Seat(client, Key(wish.namespace, names.CONTROLLER), wish.hold)
    work = _Work(client, wish, tell)
    vacant = True
    try:
        lasting = await seat.take()
        await seat.during(work.run(lasting))
        report = work.report()
        # Where there is an AutoWasm, a controller would write; also where an earlier run took its filter out.
        vacant = not report.taken and not report.without
        return report
    finally:
        await seat.leave(vacant=vacant)


class _Work:
    def __init__(self, client: lightkube.AsyncClient, wish: Wish, tell: Tell) -> None:
        self._client = client
        self._wish = wish
        self._tell = tell
        self._taken: set[Key] = set()
        self._without: set[Key] = set()
        self._left: set[Key] = set()

    def report(self) -> Report:
        """What was done so far."""
        without = self._without - self._taken
        return Report(*(tuple(sorted(keys)) for keys in (self._taken, without, self._left)))

    async def run(self, lasting: float) -> None:
        """All of it; controllers may write for another ``lasting`` seconds."""
        autowasms = await self._list(kinds.AutoWasm)
        if not autowasms and not await self._ours():
            return
        if lasting:
            self._tell(f"waiting {lasting:g} s for controllers to leave off writing")
            await asyncio.sleep(lasting)
        await self._clear()
        # Listed anew: what was applied during the wait counts.
        autowasms = await self._list(kinds.AutoWasm)
        self._without.update(key_of(obj) for obj in autowasms)
        try:
            await _all(self._say, autowasms)
        except errors.Error as fault:  # what counts is that the filters are out
            self._tell(f"statuses of AutoWasms are out of date: {fault}")

    async def _clear(self) -> None:
        for _ in range(_ROUNDS):
            if not (found := await self._ours()):
                return
            await _all(self._delete, found)
            self._taken.update(found)
            self._tell(f"waiting {self._wish.settle:g} s for sidecars to drop {len(found)} filters")
            await asyncio.sleep(self._wish.settle)
        message = f"EnvoyFilters {_some(found)}: must stay deleted, somebody writes them again"
        raise errors.Final(message, side="controller", reason="NotRetired")

    async def _ours(self) -> list[Key]:
        found = await self._list(kinds.EnvoyFilter)
        cluster = names.wasmer_cluster(self._wish.namespace)
        ours = {key_of(obj) for obj in found if standing.ours(obj)}
        asking = {key_of(obj) for obj in found if cluster in json.dumps(obj.get("spec"))}
        self._left = asking - ours
        return sorted(ours)

    async def _delete(self, key: Key) -> None:
        await retry.persist(lambda: objects.delete(self._client, kinds.EnvoyFilter, key), retry.Patience())

    async def _say(self, obj: Object) -> None:
        status = farewell.status(obj.get("status"), now())
        if status is not None and status != obj.get("status"):
            await retry.persist(
                lambda: objects.write_status(self._client, kinds.AutoWasm, obj, status), retry.Patience()
            )

    async def _list(self, kind: kinds.Kind) -> list[Object]:
        async def attempt() -> list[Object]:
            with faults.of(f"list of {kind.__name__}"):
                return [obj async for obj in self._client.list(kind, namespace="*", chunk_size=_PAGE)]

        try:
            return await retry.persist(attempt, retry.Patience())
        except errors.Final as fault:
            if fault.reason == "NotFound":
                return []  # the kind itself is gone, and its objects with it
            raise


async def _all(work: Callable[[T], Awaitable[None]], things: Iterable[T]) -> None:
    """Do it to each, some at a time, whatever fails; then raise for what failed."""
    gate = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def one(thing: T) -> errors.Error | None:
        async with gate:
            try:
                await work(thing)
            except errors.Error as fault:
                return fault
        return None

    failed = [fault for fault in await asyncio.gather(*map(one, things)) if fault]
    if failed:
        raise errors.Final(_some(failed), side=failed[0].side, reason=failed[0].reason)


def _some(things: Sequence[object], most: int = 5) -> str:
    """Names for a message, and how many more there are."""
    more = [f"and {len(things) - most} more"] if len(things) > most else []
    return "; ".join([*(str(thing) for thing in things[:most]), *more])
