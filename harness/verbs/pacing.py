"""How a verb looks more than once, and the few lines that tell why that did not end well."""

from __future__ import annotations

from collections.abc import Callable

from harness import converge
from harness.scenario import expectation
from harness.verbs.stage import Stage
from harness.verbs.verb import Failed


def watch(
    pace: expectation.Pace, look: Callable[[], converge.Look], stage: Stage, expected: str, successes: int = 1
) -> converge.Course:
    """Look as ``pace`` says.

    Args:
        pace: the verb's arguments, which say how to look.
        look: looks once.
        stage: lends the clock and the patience.
        expected: what is expected, in one line.
        successes: how many looks in a row must be right where the step does not say.

    Raises:
        Failed: it did not come true, or did not stay so.
    """
    if pace.consistently:
        course = converge.consistently(look, pace.consistently.for_, stage.clock)
        how = f"for {pace.consistently.for_:g} s"
    else:
        asked = pace.eventually or expectation.Eventually()
        within = asked.within * stage.patience
        needed = asked.successes or successes
        course = converge.eventually(look, within, needed, stage.clock)
        how = f"{needed} times in a row within {within:g} s" if needed > 1 else f"within {within:g} s"
    if course.difference:
        raise Failed(_why(course, f"expected {how}: {expected}"))
    return course


def _why(course: converge.Course, expected: str) -> list[str]:
    tries = f"looked {course.tries} times in {course.seconds:.2f} s, the last {len(course.last)}:"
    seen = [f"  {look.brief}" for look in course.last]
    return [expected, f"difference: {course.difference}", tries, *seen]


def tally(course: converge.Course) -> str:
    """How often it was looked, where that tells something."""
    return f"{course.tries} looks" if course.tries > 1 else ""
