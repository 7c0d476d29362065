"""What happens in a turn of a name: look, ask wasmers where the mesh is to change, plan, act.

A controller that does not write only sees to it that it has what stands in the mesh. A glance looks at nothing but
whom the filter reaches.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from autowasm import errors
from autowasm.controller import marks, plan
from autowasm.controller.act import Actor, Outcome
from autowasm.controller.facts import Facts
from autowasm.controller.observe import Observer, now
from autowasm.controller.rollout import Rollout
from autowasm.controller.sharing import Sharing
from autowasm.controller.wanted import Wanted
from autowasm.controller.workers import Watches
from autowasm.istio import conditions
from autowasm.istio.audience import Audience
from autowasm.kube.names import Key

PATIENCE_SECONDS: Final = 1.0
"""How long a new spec may be without a status before one is written: most modules are there sooner."""

WRITERS: Final = 8
"""Names that are written at the same time: the API server is everybody's."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parts:
    """Whom a turn asks.

    Attributes:
        leads: whether this controller is the one that writes.
        audience: whom what stands in the mesh under a name reaches; None while nobody has looked.
    """

    leads: Callable[[], bool]
    watches: Watches
    observer: Observer
    actor: Actor
    rollout: Rollout
    sharing: Sharing
    wanted: Wanted
    audience: Callable[[Key], Audience | None]


class Turns:
    """Turns of names."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._writing = asyncio.Semaphore(WRITERS)

    async def work(self, key: Key) -> Outcome:
        """A turn with news.

        Raises:
            errors.Error: what could not be read or written, or another one writes by now.
        """
        parts = self._parts
        if not parts.leads():
            fault = await parts.observer.hold(key)
            return Outcome(plan.Plan(), plan.again_after(fault) if fault else None, None)
        facts = await self._patiently(parts.observer.facts(key), key, self._pending)
        facts = dataclasses.replace(facts, place=parts.sharing.place(key), audience=parts.audience(key))
        facts = await self._asked(key, facts)
        async with self._writing:
            if not parts.leads():
                message = f"controller: must hold the lease to write {key}: lost it meanwhile"
                raise errors.Retry(message, side="controller", reason="NotLeading")
            return await _finished(parts.actor.act(key, facts))

    async def glance(self, key: Key, found: conditions.Facts) -> marks.Mark | None:
        """A turn without news: ``found`` is what the status was last folded from. The mark after a write.

        Raises:
            errors.Error: side "cluster"; the status could not be written.
        """
        parts = self._parts
        obj = parts.watches.autowasms.objects.get(key)
        audience = parts.audience(key)
        if obj is None or audience is None or not parts.leads():
            return None
        previous = obj.get("status")
        status = conditions.status(dataclasses.replace(found, audience=audience), previous, now())
        if status == previous:
            return None
        present = parts.watches.envoyfilters.objects.get(key)
        return marks.of(await _finished(parts.actor.write_status(key, obj, status)), present)

    async def _asked(self, key: Key, facts: Facts) -> Facts:
        digest = plan.asks(facts)
        if digest is None:
            return facts
        self._parts.wanted.note(digest)
        asking = self._parts.rollout.served(digest)
        served = await self._patiently(asking, key, lambda *_: plan.unserved(facts))
        # Read again: what was written meanwhile counts.
        present = self._parts.watches.envoyfilters.objects.get(key)
        return dataclasses.replace(facts, served=served, envoyfilter=present)

    def _pending(self, obj: Mapping[str, Any], key: Key) -> Mapping[str, Any] | None:
        return plan.pending(obj, self._parts.watches.envoyfilters.objects.get(key), now())

    async def _patiently(
        self,
        looking: Coroutine[None, None, T],
        key: Key,
        meanwhile: Callable[[Mapping[str, Any], Key], Mapping[str, Any] | None],
    ) -> T:
        """The answer; where it takes long the object gets a status meanwhile."""
        task = asyncio.ensure_future(looking)
        try:
            await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
            if not task.done():
                await self._say(key, meanwhile)
            return await task
        finally:
            task.cancel()

    async def _say(
        self, key: Key, meanwhile: Callable[[Mapping[str, Any], Key], Mapping[str, Any] | None]
    ) -> None:
        obj = self._parts.watches.autowasms.objects.get(key)
        status = meanwhile(obj, key) if obj is not None and self._parts.leads() else None
        if obj is not None and status is not None:
            await self._parts.actor.write_status(key, obj, status)


async def _finished(acting: Awaitable[T]) -> T:
    """Wait for the writes even if cancelled: an EnvoyFilter without its status says too little."""
    task = asyncio.ensure_future(acting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
