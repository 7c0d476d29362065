"""What was found, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from harness.fidelity import allowed
from harness.fidelity.compare import Difference
from harness.fidelity.suite import Outcome

_WIDTH: Final = 400


def to_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Everything, with the reasons of what is not compared."""
    return {
        "envoys": [_one(outcome) for outcome in outcomes],
        "not_compared": dict(allowed.DROPPED),
        "masked": dict(allowed.MASKED),
    }


def _one(outcome: Outcome) -> dict[str, Any]:
    known = [asdict(each) | {"reason": _reason(each)} for each in outcome.known]
    return {
        "envoy": outcome.envoy,
        "modules": outcome.modules,
        "requests": outcome.requests,
        "comparisons": outcome.comparisons,
        "seconds": round(outcome.seconds, 1),
        "differences": [asdict(each) for each in outcome.differences],
        "known": known,
    }


def _reason(difference: Difference) -> str:
    entry = allowed.known(difference.case, difference.where)
    return f"{entry.reason} ({entry.source})" if entry else ""


def lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """A line for each Envoy, and below it each difference."""
    for outcome in outcomes:
        yield (
            f"Envoy {outcome.envoy}: {outcome.modules} modules, {outcome.requests} requests, "
            f"{outcome.comparisons} comparisons, {len(outcome.differences)} differences, "
            f"{len(outcome.known)} known ones, {outcome.seconds:.1f} s"
        )
        for each in outcome.differences:
            place, ours, theirs = innermost(each.simulated, each.real)
            yield f"  {each.case}: {each.where}{place}"
            yield f"    simulated {_short(ours)}"
            yield f"    Envoy     {_short(theirs)}"
        for each in outcome.known:
            yield f"  {each.case}: {each.where} stays: {_reason(each)}"


def innermost(ours: Any, theirs: Any) -> tuple[str, Any, Any]:
    """The first place in two values where they differ, like "[2].headers[0]", and what stands there."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = [key for key in [*theirs, *ours] if ours.get(key) != theirs.get(key)]
        if keys:
            place, *both = innermost(ours.get(keys[0]), theirs.get(keys[0]))
            return f".{keys[0]}{place}", both[0], both[1]
    if isinstance(ours, list) and isinstance(theirs, list):
        at = next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
        if at is not None:
            place, *both = innermost(ours[at], theirs[at])
            return f"[{at}]{place}", both[0], both[1]
        rest = min(len(ours), len(theirs))
        return f"[{rest}:]", ours[rest:], theirs[rest:]
    return "", ours, theirs


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "..."
