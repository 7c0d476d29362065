"""What a change of a status means to somebody who reads Events. Pure.

An occasion is a condition that changed its status or its reason, seen against the status before: what only says the
same thing in other words is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Status = Mapping[str, Any]

_ON_ITS_WAY: Final = frozenset({"Loading"})
"""Reasons of a condition that is False and no trouble."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """What happened: ``reason`` is CamelCase, ``note`` a sentence for people, ``action`` what was being done."""

    reason: str
    note: str
    action: str
    warning: bool = False


MENDED: Final = Occasion(
    "Mended", "the EnvoyFilter was edited or deleted by somebody else: it is as it should be again", "Program"
)

_ACTIONS: Final = {
    "Pulled": "Pull",
    "Verified": "Verify",
    "Served": "Serve",
    "Programmed": "Program",
    "Loaded": "Load",
    "Selected": "Select",
    "Overlaps": "Order",
}
_GOOD_NEWS: Final = frozenset({"Loaded", "Overlaps"})
"""Conditions whose truth is worth an Event; that of the others is part of ``RolledOut``."""


def between(before: Status | None, after: Status) -> list[Occasion]:
    """What happened between two statuses of one object, in the order of its conditions."""
    earlier = before or {}
    rolled_out = [*_rolled_out(earlier, after)]
    return [*_conditions(earlier, after), *(rolled_out or _synced(earlier, after))]


def _conditions(before: Status, after: Status) -> Iterator[Occasion]:
    known = {item.get("type"): item for item in before.get("conditions") or ()}
    for item in after.get("conditions") or ():
        kind, was = item["type"], known.get(item["type"], {})
        if (was.get("status"), was.get("reason")) == (item["status"], item["reason"]):
            continue
        action = _ACTIONS.get(kind, kind)
        if item["status"] == "False" and item["reason"] not in _ON_ITS_WAY:
            yield Occasion(item["reason"], item["message"], action, warning=True)
        elif item["status"] == "True" and kind in _GOOD_NEWS:
            yield Occasion(item["reason"], item["message"], action)


def _rolled_out(before: Status, after: Status) -> Iterator[Occasion]:
    digest = after.get("digest")
    if digest and digest != before.get("digest"):
        yield Occasion("RolledOut", f"sidecars are told to run {after.get('image') or digest}", "Program")


def _synced(before: Status, after: Status) -> Iterator[Occasion]:
    if after.get("phase") == "Synced" != before.get("phase"):
        yield Occasion(
            "Synced", f"the mesh has what generation {after['observedGeneration']} asks for", "Program"
        )
