"""Carries a plan out: the EnvoyFilter first, then the status that says so, and Events of both. Reads nothing."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Any

import lightkube

from autowasm import errors
from autowasm.controller import marks, occasions, plan
from autowasm.controller.facts import Facts, Object
from autowasm.controller.occasions import Occasion
from autowasm.istio import envoyfilter
from autowasm.kube import kinds, objects
from autowasm.kube.names import Key
from autowasm.kube.watch import Watch

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What was done, when to look again, and the mark of the state that was left behind.

    Without a mark the next event about the name is news, whatever it says.
    """

    done: plan.Plan
    again: plan.Again | None
    mark: marks.Mark | None


@dataclasses.dataclass(frozen=True, slots=True)
class Actor:
    """The only writer. What a write answers goes into the watches, so that the next look sees it."""

    client: lightkube.AsyncClient
    autowasms: Watch
    envoyfilters: Watch
    install: envoyfilter.Install
    tell: Callable[[Object, Occasion], None]

    async def act(self, key: Key, facts: Facts) -> Outcome:
        """Do what the facts ask for.

        Raises:
            errors.Error: side "cluster"; a deletion or the status could not be written.
        """
        planned = plan.plan(facts, self.install)
        present = facts.envoyfilter
        if planned.delete:
            await objects.delete(self.client, kinds.EnvoyFilter, key)
            present = None
            _log.info("envoyfilter deleted", extra={"autowasm": str(key)})
        if planned.write is not None:
            try:
                present = await self._write(key, planned.write, force=planned.force)
            except errors.Error as fault:
                _log.warning("envoyfilter not written", extra={"autowasm": str(key), "why": str(fault)})
                planned = plan.plan(dataclasses.replace(facts, write_fault=fault), self.install)
        obj = facts.wanted.obj if facts.wanted else None
        if obj is not None and planned.write is not None and planned.status is None:
            self.tell(obj, occasions.MENDED)
        if planned.status is not None and obj is not None:
            obj = await self.write_status(key, obj, planned.status)
        return Outcome(planned, planned.again, marks.of(obj, present))

    async def write_status(self, key: Key, obj: Object, status: Mapping[str, Any]) -> Object:
        """Write the status of this object; answers the object as it was read, with its new status.

        Raises:
            errors.Error: side "cluster".
        """
        answer = await objects.write_status(self.client, kinds.AutoWasm, obj, status)
        if answer is not None:
            self.autowasms.learn(answer)
            for occasion in occasions.between(obj.get("status"), status):
                self.tell(obj, occasion)
        why = [item["message"] for item in status["conditions"] if item["status"] == "False"]
        _log.info("status written", extra={"autowasm": str(key), "phase": status["phase"], "why": why})
        return {**obj, "status": (answer or {}).get("status")}

    async def _write(self, key: Key, wanted: Object, *, force: bool) -> Object:
        answer = await objects.apply(self.client, kinds.EnvoyFilter, wanted, force=force)
        if answer["spec"] != wanted["spec"]:
            # An apply leaves what others added, and any addition changes what the filter does or where.
            answer = await objects.replace(self.client, kinds.EnvoyFilter, answer, "spec", wanted["spec"])
        self.envoyfilters.learn(answer)
        _log.info("envoyfilter written", extra={"autowasm": str(key), "over_another": force})
        return answer
