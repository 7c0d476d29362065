"""What happens during a run, as a stream of frozen values. Reports are folds over it and decide nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """A part of the bring-up has begun. ``expected`` is how long it took last time, in seconds, where known."""

    phase: str
    detail: str = ""
    expected: float | None = None


@dataclass(frozen=True, slots=True)
class PhaseEnded:
    """A part of the bring-up is over, after ``seconds``. ``since_start`` is seconds since the bring-up began."""

    phase: str
    seconds: float
    detail: str = ""
    since_start: float | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user must read, loudly where ``level`` is warning."""

    message: str
    level: Literal["info", "warning"] = "info"


@dataclass(frozen=True, slots=True)
class ScenarioStarted:
    """A scenario begins. ``file`` is as the user named it."""

    name: str
    file: str
    claim: str


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step begins; ``index`` counts from 0."""

    scenario: str
    index: int
    verb: str
    title: str


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step is over. ``where`` is file:line:col; ``why`` explains a failure in a few lines, ``detail`` a success."""

    scenario: str
    index: int
    verb: str
    title: str
    verdict: Verdict
    seconds: float
    where: str
    detail: str = ""
    why: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CleanupEnded:
    """A scenario's clean-up is over; each failure of it is a failure of its own."""

    scenario: str
    seconds: float
    failures: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ScenarioEnded:
    """A scenario is over. ``reason`` says why it was skipped; ``artifacts`` is the folder written on failure.

    ``lacking`` are the capabilities that the mesh did not have, where that is why it was skipped.
    """

    name: str
    file: str
    verdict: Verdict
    seconds: float
    reason: str = ""
    artifacts: str = ""
    lacking: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The run is over."""

    mesh: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    phases: Sequence[tuple[str, float]] = field(default=())


Event = (
    PhaseStarted
    | PhaseEnded
    | Notice
    | ScenarioStarted
    | StepStarted
    | StepEnded
    | CleanupEnded
    | ScenarioEnded
    | RunEnded
)
Emit = Callable[[Event], None]
