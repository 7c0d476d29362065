"""What was found out about an AutoWasm, folded to its status: two tables and the code that walks them.

A module goes through three stages in a fixed order, each a condition: ``Pulled``, ``Verified``,
``Programmed``. What a stage came to is a value: what it produced, a ``Failure``, or None while nothing is
known. An older version of the filter may still stand in the mesh while a newer one is worked on or was
refused; the phase says so.

This module knows neither the clock (the time is passed in) nor who found the facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from autowasm import errors
from autowasm.digest import Digest

Phase = Literal["Pending", "Synced", "Degraded", "Failed"]
Outcome = Literal["working", "retrying", "refused", "done"]

MESSAGE_CHARS: Final = 1024
"""Longest condition message: a module may be wrong in a hundred places, a status is read in a terminal."""


@dataclass(frozen=True, slots=True)
class Version:
    """A module and its origin: ``image`` is pinned (repository@sha256:manifest), "" for an object URL."""

    digest: Digest
    image: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """A stage succeeded; ``message`` says what it found."""

    message: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A stage did not succeed; ``final`` where nothing but a change by somebody heals it."""

    reason: str
    message: str
    final: bool

    @classmethod
    def of(cls, error: errors.Error) -> Failure:
        """A failure as the tree of errors has it, its remedy behind its message."""
        message = f"{error.message} ({error.remedy})" if error.remedy else error.message
        return cls(error.reason, message, isinstance(error, errors.Final))


def refused(rule: str, message: str) -> Failure:
    """The check refused the module by this rule (its slug); ``message`` says what was found."""
    return Failure("Refused", f"{rule}: {message}", final=True)


def conflict(message: str) -> Failure:
    """An EnvoyFilter of the wanted name is somebody else's. Theirs to move, so it is looked at again."""
    return Failure("Conflict", message, final=True)


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a status says. ``standing``: the version that our EnvoyFilter has, after acting."""

    generation: int
    pull: Version | Failure | None = None
    check: Done | Failure | None = None
    program: Done | Failure | None = None
    standing: Version | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition; ``status`` None is ``Unknown``."""

    type: str
    status: bool | None
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class _Stage:
    """A row: the condition, the field of ``Facts``, reason and message of success, message while it waits."""

    type: str
    fact: str
    reason: str
    message: str
    waits: str


# In the order in which a module passes them.
STAGES: Final = (
    _Stage("Pulled", "pull", "Pulled", "the module is in the controller's store", "not pulled yet"),
    _Stage("Verified", "check", "Verified", "the module passed the check", "waits for the pull"),
    _Stage("Programmed", "program", "Written", "the EnvoyFilter is written", "waits for the check"),
)

# What it came to -> the phase when nothing of ours stands in the mesh, and when an older version does.
PHASES: Final[Mapping[Outcome, tuple[Phase, Phase]]] = {
    "working": ("Pending", "Pending"),
    "retrying": ("Pending", "Degraded"),
    "refused": ("Failed", "Degraded"),
    "done": ("Synced", "Synced"),
}


def conditions(facts: Facts) -> tuple[Condition, ...]:
    """The conditions, one a stage."""
    return tuple(_condition(stage, getattr(facts, stage.fact)) for stage in STAGES)


def phase(facts: Facts) -> Phase:
    """The word that ``kubectl get aw`` prints."""
    alone, beside_older = PHASES[_outcome(facts)]
    return beside_older if facts.standing else alone


def status(facts: Facts, previous: Mapping[str, Any] | None, now: str) -> dict[str, Any]:
    """The whole ``.status``, equal to ``previous`` where nothing changed.

    ``digest`` and ``image`` are those of the version that stands in the mesh, which after a refused update is
    the older one; they are absent where nothing stands.

    Args:
        facts: what was found out.
        previous: the status that the object has, or None.
        now: RFC 3339 time in UTC, used as lastTransitionTime of conditions whose status changed.
    """
    before = {item.get("type"): item for item in (previous or {}).get("conditions") or ()}
    folded: dict[str, Any] = {"phase": phase(facts), "observedGeneration": facts.generation}
    if facts.standing:
        folded["digest"] = str(facts.standing.digest)
        if facts.standing.image:
            folded["image"] = facts.standing.image
    folded["conditions"] = [
        _dump(condition, facts.generation, before.get(condition.type), now) for condition in conditions(facts)
    ]
    return folded


def _condition(stage: _Stage, fact: Version | Done | Failure | None) -> Condition:
    if fact is None:
        return Condition(stage.type, None, "Waiting", stage.waits)
    if isinstance(fact, Failure):
        return Condition(stage.type, False, fact.reason, _cut(fact.message))
    found = fact.image or str(fact.digest) if isinstance(fact, Version) else fact.message
    return Condition(stage.type, True, stage.reason, _cut(found or stage.message))


def _outcome(facts: Facts) -> Outcome:
    for stage in STAGES:
        fact = getattr(facts, stage.fact)
        if isinstance(fact, Failure):
            return "refused" if fact.final else "retrying"
        if fact is None:
            return "working"
    return "done"


def _dump(
    condition: Condition, generation: int, before: Mapping[str, Any] | None, now: str
) -> dict[str, Any]:
    word = "Unknown" if condition.status is None else str(condition.status)
    kept = before.get("lastTransitionTime") if before and before.get("status") == word else None
    return {
        "type": condition.type,
        "status": word,
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": kept or now,
        "observedGeneration": generation,
    }


def _cut(message: str) -> str:
    return message if len(message) <= MESSAGE_CHARS else message[: MESSAGE_CHARS - 3] + "..."
