"""Two answers to one script, side by side: each field that must be equal, and those that are not.

The shapes are those of the simulator's batch interface. Nothing is run here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from harness.fidelity import allowed

Answer = Mapping[str, Any]
_RESULT: Final = ("outcome", "status", "headers", "body", "trailers", "upstream", "logs")
_PAIRS: Final = ("headers", "trailers")


@dataclass(frozen=True, slots=True)
class Difference:
    """A field in which the simulator and Envoy differ; ``where`` is like "get.headers"."""

    case: str
    where: str
    simulated: Any
    real: Any


@dataclass(slots=True)
class Compared:
    """How many fields were compared, and what differs."""

    comparisons: int = 0
    differences: list[Difference] = field(default_factory=list)


def answers(case: str, simulated: Answer, real: Answer) -> Compared:
    """Compare two answers."""
    found = Compared()
    for where, ours, theirs in _fields(simulated, real):
        found.comparisons += 1
        if ours != theirs:
            found.differences.append(Difference(case, where, ours, theirs))
    return found


def _fields(simulated: Answer, real: Answer) -> Iterator[tuple[str, Any, Any]]:
    yield "loaded", simulated.get("loaded"), real["loaded"]
    yield "error", said(simulated.get("error")), said(real["error"])
    yield "start_logs", _logs(simulated.get("start_logs") or ()), _logs(real["start_logs"])
    ours: Sequence[Answer] = simulated.get("results") or ()
    yield "results", len(ours), len(real["results"])
    for mine, theirs in zip(ours, real["results"], strict=False):
        name = theirs["name"]
        yield from ((f"{name}.{key}", _value(mine, key), _value(theirs, key)) for key in _RESULT)
    yield "metrics", _metrics(simulated.get("metrics") or {}), _metrics(real["metrics"])


def _metrics(values: Answer) -> dict[str, Any]:
    return {
        name: value[allowed.HISTOGRAM_COMPARED] if isinstance(value, Mapping) else value
        for name, value in values.items()
    }


def said(error: str | None) -> str | None:
    """An error without the engine's own words; empty is None."""
    words = (error or "").removeprefix(allowed.WRAPPED)
    for pattern, _ in allowed.ENGINE_WORDS:
        if match := pattern.match(words):
            return match[1]
    return words or None


def _value(result: Answer, key: str) -> Any:
    value = result.get(key)
    if key in _PAIRS:
        return headers(value or ())
    if key == "upstream":
        return _arrivals(value or ())
    return _logs(value or ()) if key == "logs" else value


def _arrivals(requests: Sequence[Answer]) -> list[Answer]:
    """In any order: each call has a connection of its own, and which arrives first is the network's affair."""
    told = ({**each, **{key: headers(each.get(key) or ()) for key in _PAIRS}} for each in requests)
    return sorted(told, key=lambda each: json.dumps(each, sort_keys=True))


def _logs(lines: Sequence[Answer]) -> list[Answer]:
    return [
        {**line, "message": allowed.RANDOM_WORDS.sub(allowed.ANYTHING, line["message"])} for line in lines
    ]


def headers(pairs: Sequence[Sequence[str]]) -> list[list[str]]:
    """Headers as they are compared: in order, some dropped, the values of some masked."""
    return [
        [name, allowed.ANYTHING if name in allowed.MASKED else value]
        for name, value in pairs
        if name not in allowed.DROPPED
    ]
