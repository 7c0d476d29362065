"""The comparison at work: every case on the simulator and on each Envoy, two at a time."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harness.fidelity import allowed, compare, real
from harness.fidelity.cases import Case
from harness.fidelity.compare import Difference
from harness.fidelity.envoy import Ended

Simulate = Callable[[bytes, Mapping[str, Any]], Mapping[str, Any]]
_AT_ONCE: Final = 2
_VERSION_SECONDS: Final = 10


class NoEnvoy(Exception):
    """A path is not that of an Envoy."""


@dataclass(slots=True)
class Outcome:
    """What one Envoy was asked, and what the simulator says otherwise. ``failed`` are cases without an answer."""

    envoy: str
    modules: int = 0
    requests: int = 0
    comparisons: int = 0
    differences: list[Difference] = field(default_factory=list)
    known: list[Difference] = field(default_factory=list)
    seconds: float = 0.0


def version(program: Path) -> str:
    """An Envoy's version, like "1.40.0".

    Raises:
        NoEnvoy: it is none.
    """
    try:
        ran = subprocess.run(
            [str(program), "--version"], capture_output=True, text=True, timeout=_VERSION_SECONDS, check=True
        )
        return ran.stdout.split("version:")[1].split("/")[1]
    except (OSError, subprocess.SubprocessError, IndexError) as error:
        raise NoEnvoy(f"{program}: an Envoy is needed: {error}") from error


def run(cases: Iterable[Case], program: Path, simulate: Simulate, done: Callable[[Case], None]) -> Outcome:
    """Compare all cases; ``done`` is told after each.

    Raises:
        NoEnvoy: the program is none.
    """
    of = version(program)
    outcome, begun, modules = Outcome(of), time.monotonic(), set[bytes]()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        started = [(case, pool.submit(_compared, case, program, of, simulate)) for case in cases]
        for case, future in started:
            found = future.result()
            modules.add(case.module)
            outcome.requests += len(case.script["requests"])
            outcome.comparisons += found.comparisons
            for each in found.differences:
                expected = allowed.known(each.case, each.where)
                (outcome.known if expected else outcome.differences).append(each)
            done(case)
    outcome.modules, outcome.seconds = len(modules), time.monotonic() - begun
    return outcome


def _compared(case: Case, program: Path, of: str, simulate: Simulate) -> compare.Compared:
    script = {"envoy": ".".join(of.split(".")[:2]), **case.script}
    try:
        ours = simulate(case.module, script)
    except Exception as error:
        return _without(case, f"{type(error).__name__}: {error}", "an answer")
    try:
        theirs = real.run(case.module, script, program)
    except Ended as error:
        return _ended(case, ours, error)
    return compare.answers(case.name, ours, theirs)


def _ended(case: Case, ours: Mapping[str, Any], error: Ended) -> compare.Compared:
    """Envoy ended itself: the simulator must say so, and by which signal."""
    said = str(ours.get("ended") or "")
    if error.signal and said.startswith(f"{error.signal}: "):
        return compare.Compared(1)
    return _without(case, said or "simulated", str(error))


def _without(case: Case, ours: str, theirs: str) -> compare.Compared:
    return compare.Compared(1, [Difference(case.name, "answer", ours, theirs)])


def chosen(cases: Iterable[Case], names: Sequence[str]) -> list[Case]:
    """The cases whose names contain one of these, all where there is none."""
    return [case for case in cases if not names or any(name in case.name for name in names)]
