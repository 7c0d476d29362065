"""Events (events.k8s.io/v1) about objects, for people who read ``kubectl describe``.

Telling is free: it waits for nothing and never fails. What is told is written one after the other in the background;
an Event that cannot be written is lost, and so is what comes faster than it can be written. The same words about the
same object are one Event with a count, and about one object there are only so many in a while.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import lightkube
from lightkube import generic_resource, types

from autowasm import errors
from autowasm.kube import faults
from autowasm.kube.names import Key, Object, key_of

_GROUP, _VERSION, _KIND = "events.k8s.io", "v1", "Event"
_Event = generic_resource.create_namespaced_resource(_GROUP, _VERSION, _KIND, "events")

NOTE_CHARS: Final = 1024
"""Longest note that the API server takes (ValidateEvent, pkg/apis/core/validation/events.go)."""

_INSTANCE_CHARS: Final = 128
_NAME_CHARS: Final = 230

_WAITING: Final = 1000
"""Events that may wait to be written."""

PAUSE_SECONDS: Final = 0.05
"""Between two writes: Events come last, whatever else there is to be written."""

SAME_SECONDS: Final = 360.0
"""How long the same words are the same Event: as client-go has it (events/event_broadcaster.go, finishTime)."""

_REMEMBERED: Final = 4096

BURST: Final = 25
"""Events about one object at once; after them one every ``REFILL_SECONDS``, as client-go's spam filter has it."""

REFILL_SECONDS: Final = 300.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class News:
    """What there is to say: ``reason`` and ``action`` in CamelCase, ``note`` a sentence."""

    reason: str
    note: str
    action: str
    warning: bool


@dataclass(slots=True)
class _Series:
    key: Key
    count: int
    at: float


@dataclass(slots=True)
class _Allowance:
    left: float
    at: float


class Recorder:
    """Writes Events; ``instance`` says which replica does. Made and used in one event loop."""

    def __init__(
        self,
        client: lightkube.AsyncClient,
        controller: str,
        instance: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._controller = controller
        self._instance = instance[:_INSTANCE_CHARS]
        self._clock = clock
        self._waiting: asyncio.Queue[tuple[Object, News]] = asyncio.Queue(_WAITING)
        self._series: OrderedDict[tuple[str, News], _Series] = OrderedDict()
        self._allowances: OrderedDict[str, _Allowance] = OrderedDict()
        self._trouble = ""

    def tell(self, obj: Object, news: News) -> None:
        """Say it about this object, when there is time."""
        if not self._waiting.full() and self._allowed(obj["metadata"]["uid"]):
            self._waiting.put_nowait((obj, news))

    async def run(self) -> None:
        """Write what is told until cancelled."""
        while True:
            obj, news = await self._waiting.get()
            try:
                await self._write(obj, news)
            except errors.Error as fault:
                self._complain(fault)
            else:
                self._trouble = ""
            await asyncio.sleep(PAUSE_SECONDS)

    async def _write(self, obj: Object, news: News) -> None:
        name, now = (obj["metadata"]["uid"], news), self._clock()
        known = self._series.get(name)
        if known is not None and now - known.at < SAME_SECONDS:
            known.count, known.at = known.count + 1, now
            try:
                await self._again(known)
            except errors.Final as fault:
                if (
                    fault.reason != "NotFound"
                ):  # the API server keeps Events for an hour, or was told otherwise
                    raise
            else:
                return
        key = await self._create(obj, news)
        self._series[name] = _Series(key, 1, now)
        self._series.move_to_end(name)
        while len(self._series) > _REMEMBERED:
            self._series.popitem(last=False)

    async def _create(self, obj: Object, news: News) -> Key:
        about = key_of(obj)
        key = Key(about.namespace, f"{about.name[:_NAME_CHARS]}.{secrets.token_hex(8)}")
        event = {
            "apiVersion": f"{_GROUP}/{_VERSION}",
            "kind": _KIND,
            "metadata": {"name": key.name, "namespace": key.namespace},
            "eventTime": _now(),
            "reportingController": self._controller,
            "reportingInstance": self._instance,
            "action": news.action,
            "reason": news.reason,
            "regarding": _reference(obj),
            "note": news.note[:NOTE_CHARS],
            "type": "Warning" if news.warning else "Normal",
        }
        with faults.of(f"event about {about}"):
            await self._client.create(_Event.from_dict(event))
        return key

    async def _again(self, series: _Series) -> None:
        change = {"series": {"count": series.count, "lastObservedTime": _now()}}
        with faults.of(f"event {series.key}"):
            await self._client.patch(
                _Event,
                series.key.name,
                change,
                namespace=series.key.namespace,
                patch_type=types.PatchType.MERGE,
            )

    def _allowed(self, uid: str) -> bool:
        now = self._clock()
        known = self._allowances.setdefault(uid, _Allowance(BURST, now))
        self._allowances.move_to_end(uid)
        while len(self._allowances) > _REMEMBERED:
            self._allowances.popitem(last=False)
        known.left = min(BURST, known.left + (now - known.at) / REFILL_SECONDS)
        known.at = now
        if known.left < 1:
            return False
        known.left -= 1
        return True

    def _complain(self, fault: errors.Error) -> None:
        """Say once what lasts."""
        if fault.reason != self._trouble:
            _log.warning("event not written", extra={"why": str(fault)})
        self._trouble = fault.reason


def _reference(obj: Object) -> Mapping[str, Any]:
    metadata = obj["metadata"]
    found = {"apiVersion": obj["apiVersion"], "kind": obj["kind"]}
    return found | {name: metadata[name] for name in ("namespace", "name", "uid", "resourceVersion")}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
