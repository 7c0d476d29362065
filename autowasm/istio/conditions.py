"""What was found out about an AutoWasm, folded to its status: two tables and the code that walks them.

A module goes through stages in a fixed order, each a condition: ``Pulled``, ``Verified``, ``Served``,
``Programmed``. What a stage came to is a value: what it produced, a ``Failure``, ``Skipped``, or None while
nothing is known. An older version of the filter may still stand in the mesh while a newer one is worked on or
was refused; the phase says so.

What follows once the EnvoyFilter is written is told apart from that: ``Loaded`` always, ``Selected`` and
``Overlaps`` only where they have something to say (reach.py). They never make a phase worse than Degraded, and
nothing waits for them.

This module knows neither the clock (the time is passed in) nor who found the facts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from autowasm import errors
from autowasm.digest import Digest
from autowasm.istio import reach
from autowasm.istio.audience import Audience
from autowasm.istio.reach import Condition

Phase = Literal["Pending", "Pulling", "Synced", "Degraded", "Failed"]
Outcome = Literal["pulling", "working", "retrying", "refused", "done", "astray"]


@dataclass(frozen=True, slots=True)
class Version:
    """A module and its origin: ``image`` is pinned (repository@sha256:manifest), "" for an object URL.

    ``size`` in bytes and ``abi`` are 0 and "" where the check that knows them did not run this time.
    """

    digest: Digest
    image: str = ""
    size: int = field(default=0, compare=False)
    abi: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Done:
    """A stage succeeded; ``message`` says what it found, ``reason`` how, where not in the ordinary way."""

    message: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A stage was left out, and the ones behind it need not wait."""

    reason: str
    message: str


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
    """All that a status says.

    Attributes:
        generation: of the spec that all this is about.
        pull, check, serve, program: what the stages came to.
        standing: the version that our EnvoyFilter has, after acting.
        audience: whom it reaches; None where nobody has looked.
        order: the EnvoyFilter's priority among those that share a workload with it.
        overlap: who they are, in words; "" where there are none.
    """

    generation: int
    pull: Version | Failure | None = None
    check: Done | Failure | None = None
    serve: Done | Skipped | Failure | None = None
    program: Done | Failure | None = None
    standing: Version | None = None
    audience: Audience | None = None
    order: int = 0
    overlap: str = ""


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
    _Stage("Served", "serve", "Served", "every wasmer has the module", "waits for the check"),
    _Stage("Programmed", "program", "Written", "the EnvoyFilter is written", "waits for wasmers"),
)

# What it came to -> the phase when nothing of ours stands in the mesh, and when an older version does.
PHASES: Final[Mapping[Outcome, tuple[Phase, Phase]]] = {
    "pulling": ("Pulling", "Pulling"),
    "working": ("Pending", "Pending"),
    "retrying": ("Pending", "Degraded"),
    "refused": ("Failed", "Degraded"),
    "astray": ("Degraded", "Degraded"),
    "done": ("Synced", "Synced"),
}


def conditions(facts: Facts) -> tuple[Condition, ...]:
    """The conditions of the stages, one each."""
    return tuple(_condition(stage, getattr(facts, stage.fact)) for stage in STAGES)


def phase(facts: Facts, found: Iterable[Condition] = ()) -> Phase:
    """The word that ``kubectl get aw`` prints; ``found`` are the conditions that follow the stages."""
    outcome = _outcome(facts)
    alone, beside_older = PHASES["astray" if outcome == "done" and reach.astray(found) else outcome]
    return beside_older if facts.standing else alone


def status(facts: Facts, previous: Mapping[str, Any] | None, now: str) -> dict[str, Any]:
    """The whole ``.status``, equal to ``previous`` where nothing changed.

    What is said of the module is said of the one that stands in the mesh, which after a refused update is the
    older one; it is absent where nothing stands. Where nobody has looked at the sidecars, what was last known
    of them stays as long as it is about the same module.

    Args:
        facts: what was found out.
        previous: the status that the object has, or None.
        now: RFC 3339 time in UTC, used as lastTransitionTime of conditions whose status changed.
    """
    before = previous or {}
    known = {str(item.get("type")): item for item in before.get("conditions") or ()}
    if facts.standing is not None and facts.audience is not None:
        facts = dataclasses.replace(facts, audience=facts.audience.about(facts.standing.digest))
    same = facts.standing is not None and before.get("digest") == str(facts.standing.digest)
    following = _following(facts, known if same else {})
    found = [*conditions(facts), *following]
    folded: dict[str, Any] = {"phase": phase(facts, following), "observedGeneration": facts.generation}
    if facts.standing is not None:
        folded |= _module(facts.standing, before if same else {})
        folded |= _counts(facts.audience, before if same else {})
    if facts.order:
        folded["order"] = facts.order
    folded["conditions"] = [_dump(item, facts.generation, known.get(item.type), now) for item in found]
    return folded


def _following(facts: Facts, known: Mapping[str, Mapping[str, Any]]) -> list[Condition]:
    """The conditions after the stages; ``known`` are earlier ones about the same module."""
    programmed = isinstance(facts.program, Done)
    kept = reach.kept(known) if programmed and facts.audience is None else []
    found = kept or reach.conditions(facts.audience, programmed=programmed)
    if facts.overlap:
        found.append(Condition("Overlaps", True, "SharedWorkload", reach.cut(facts.overlap)))
    return found


def _module(standing: Version, before: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "digest": str(standing.digest),
        "image": standing.image,
        "size": standing.size or before.get("size"),
        "abi": standing.abi or before.get("abi"),
    }
    return {name: value for name, value in found.items() if value}


def _counts(audience: Audience | None, before: Mapping[str, Any]) -> dict[str, Any]:
    if audience is not None:
        return reach.counts(audience)
    return {name: before[name] for name in ("fetched", "loaded") if name in before}


def _condition(stage: _Stage, fact: Version | Done | Skipped | Failure | None) -> Condition:
    if fact is None:
        return Condition(stage.type, None, "Waiting", stage.waits)
    if isinstance(fact, Failure):
        return Condition(stage.type, False, fact.reason, reach.cut(fact.message))
    if isinstance(fact, Skipped):
        return Condition(stage.type, None, fact.reason, reach.cut(fact.message))
    if isinstance(fact, Version):
        return Condition(stage.type, True, stage.reason, fact.image or str(fact.digest))
    return Condition(stage.type, True, fact.reason or stage.reason, reach.cut(fact.message or stage.message))


def _outcome(facts: Facts) -> Outcome:
    found = [(stage.fact, getattr(facts, stage.fact)) for stage in STAGES]
    failures = [fact for _, fact in found if isinstance(fact, Failure)]
    if failures:
        return "refused" if failures[0].final else "retrying"
    waiting = [name for name, fact in found if fact is None]
    if waiting:
        return "pulling" if waiting[0] == "pull" else "working"
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
