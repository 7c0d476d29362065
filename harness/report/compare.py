"""Verdicts of runs side by side, out of what ``harness run --jsonl FILE`` wrote. Pure.

A scenario that one mesh cannot run (it lacks a capability) is listed and is no difference; whatever else keeps a
verdict from a scenario (the run ended before it, it was not asked for) is one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, get_args

from harness.events import Verdict

Kind = Literal["same", "unable", "different"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)
_SIGNS: Final[Mapping[Verdict, str]] = {"passed": "✓", "failed": "✗", "skipped": "-"}
_LINE_CHARS: Final = 120
_MOST_SECONDS: Final = 1_000_000


class Unreadable(Exception):
    """The text is not what a run writes; the message is file:line, the rule, and what was found."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one scenario ended in one run, after ``seconds``; ``unable`` where the mesh lacks what it needs."""

    verdict: Verdict
    seconds: float = 0.0
    reason: str = ""
    unable: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One run: where, and what became of each scenario, in the run's order."""

    mesh: str
    outcomes: Mapping[str, Outcome]


@dataclass(frozen=True, slots=True)
class Row:
    """One scenario in all runs, in their order; None where a run did not have it."""

    scenario: str
    outcomes: Sequence[Outcome | None]

    @property
    def kind(self) -> Kind:
        """Whether the runs agree, cannot be compared since a mesh lacks something, or differ."""
        able = [one for one in self.outcomes if one is None or not one.unable]
        verdicts = {one.verdict if one else "skipped" for one in able}
        if len(verdicts) > 1 or "skipped" in verdicts:
            return "different"
        return "same" if len(able) == len(self.outcomes) else "unable"


@dataclass(slots=True)
class _Reading:
    """What was read of the run under way."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    why: str = ""


def read(text: str, file: str) -> list[Run]:
    """The runs in a file: one, or one after the other.

    Raises:
        Unreadable: a line is no event, or the last run did not end.
    """
    runs: list[Run] = []
    reading = _Reading()
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                _take(_event(line), reading, runs)
            except ValueError as error:
                raise Unreadable(f"{file}:{number}: {error}") from None
    if reading.outcomes or not runs:
        raise Unreadable(f"{file}:{len(lines)}: a run must end with the event run-ended, found none")
    return runs


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        raise ValueError(f"a line must be an event as JSON, found {_shown(line)[:_LINE_CHARS]!r}")
    return event


def _take(event: Mapping[str, Any], reading: _Reading, runs: list[Run]) -> None:
    match event["event"]:
        case "step-ended" if event.get("verdict") == "failed":
            reading.why = " ".join(_texts(event, "why"))
        case "cleanup-ended":
            reading.why = reading.why or "; ".join(_texts(event, "failures"))
        case "scenario-ended":
            name = _text(event, "name")
            if name in reading.outcomes:
                raise ValueError(f"scenario {name}: must end once in a run, it ends again")
            reading.outcomes[name] = _outcome(event, reading.why)
            reading.why = ""
        case "run-ended":
            if reading.outcomes:
                runs.append(Run(_text(event, "mesh"), reading.outcomes))
            reading.outcomes = {}
        case _:
            pass  # phases and notices say nothing about verdicts


def _outcome(event: Mapping[str, Any], why: str) -> Outcome:
    verdict, seconds = event.get("verdict"), event.get("seconds")
    if verdict not in _VERDICTS:
        raise ValueError(f"verdict: must be one of {', '.join(_VERDICTS)}, found {verdict!r}"[:_LINE_CHARS])
    if not isinstance(seconds, int | float) or not 0 <= seconds <= _MOST_SECONDS:
        raise ValueError(
            f"seconds: must be a number from 0 to {_MOST_SECONDS}, found {seconds!r}"[:_LINE_CHARS]
        )
    reason = _text(event, "reason") or why
    return Outcome(verdict, float(seconds), reason, bool(_texts(event, "lacking")))


def _text(event: Mapping[str, Any], key: str) -> str:
    value = event.get(key, "")
    if not isinstance(value, str):
        raise ValueError(f"{key}: must be text, found {value!r}"[:_LINE_CHARS])
    return _shown(value)


def _texts(event: Mapping[str, Any], key: str) -> list[str]:
    value = event.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"{key}: must be a list of texts, found {value!r}"[:_LINE_CHARS])
    return [_shown(one) for one in value]


def _shown(text: str) -> str:
    """Text that any terminal may get."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def rows(runs: Sequence[Run]) -> list[Row]:
    """The scenarios of all runs, in the order in which they come first."""
    names = dict.fromkeys(name for run in runs for name in run.outcomes)
    return [Row(name, [run.outcomes.get(name) for run in runs]) for name in names]


def columns(runs: Sequence[Run]) -> list[str]:
    """A name for each run: its mesh, with a number where several ran on meshes of one name."""
    meshes = [run.mesh for run in runs]
    return [
        f"{mesh} ({meshes[: index + 1].count(mesh)})" if meshes.count(mesh) > 1 else mesh
        for index, mesh in enumerate(meshes)
    ]


def as_data(runs: Sequence[Run], compared: Sequence[Row]) -> dict[str, Any]:
    """The comparison as JSON says it."""
    scenarios = [
        {
            "scenario": row.scenario,
            "kind": row.kind,
            "outcomes": [one and asdict(one) for one in row.outcomes],
        }
        for row in compared
    ]
    return {"runs": columns(runs), "scenarios": scenarios, "counts": counts(compared)}


def counts(compared: Sequence[Row]) -> dict[str, int]:
    """How many scenarios there are of each kind."""
    kinds = [row.kind for row in compared]
    return {kind: kinds.count(kind) for kind in KINDS}


def as_text(runs: Sequence[Run], compared: Sequence[Row]) -> Iterator[str]:
    """The comparison as lines: a table, then each reason, then the sum."""
    names = columns(runs)
    cells = [["scenario", *names]]
    cells += [[row.scenario, *map(_cell, row.outcomes)] for row in compared]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    for line in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
    yield ""
    for row in compared:
        yield from _reasons(row, names)
    count = counts(compared)
    yield (
        f"{len(compared)} scenarios: {count['same']} the same, {count['unable']} that a mesh cannot run,"
        f" {count['different']} different"
    )


def _cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return "? not in it"
    took = "" if outcome.verdict == "skipped" else f" {outcome.seconds:.1f} s"
    return f"{_SIGNS[outcome.verdict]} {outcome.verdict}{took}"


def _reasons(row: Row, names: Sequence[str]) -> Iterator[str]:
    for name, outcome in zip(names, row.outcomes, strict=True):
        if outcome is None:
            yield f"{row.scenario} on {name}: is not in that run"
        elif outcome.reason:
            yield f"{row.scenario} on {name}: {outcome.verdict}: {outcome.reason}"
