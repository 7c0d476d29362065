"""Looking more than once, with time in hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest

from harness import converge
from harness.converge import Look


def looks(differences: Sequence[str]) -> Callable[[], Look]:
    """What is seen look by look; the last repeats."""
    left = list(differences)
    return lambda: Look(left.pop(0) if len(left) > 1 else left[0], f"{len(left)} left")


def test_eventually_needs_successes_in_a_row(clock):
    """A difference between two successes starts the count anew."""
    course = converge.eventually(looks(["", "no", "", "", ""]), within=10, successes=3, clock=clock)
    assert (course.difference, course.tries) == ("", 5)


def test_eventually_ends_when_its_time_is_over(clock):
    """What never comes true ends after the time given, with its difference and the last three looks."""
    began = clock.now()
    course = converge.eventually(looks(["no"]), within=2, successes=1, clock=clock)
    assert course.difference == "no"
    assert 2 <= clock.now() - began < 2.5
    assert len(course.last) == 3


def test_eventually_tells_that_a_row_was_too_short(clock):
    """Where the time ends within a row of successes, the difference says how long the row was."""
    flapping = looks(["", "no"] * 10_000)
    course = converge.eventually(flapping, within=1, successes=2, clock=clock)
    assert course.difference in ("no", "as expected only 1 times in a row, expected 2")


@pytest.mark.parametrize("successes", [1, 3])
def test_eventually_looks_often_enough_without_time(clock, successes):
    """Even with no time at all, it is looked as often as is needed to pass."""
    course = converge.eventually(looks([""]), within=0, successes=successes, clock=clock)
    assert (course.difference, course.tries) == ("", successes)


def test_eventually_polls_fast_and_not_furiously(clock):
    """Looks are 10 to 100 ms apart."""
    times: list[float] = []

    def look() -> Look:
        times.append(clock.now())
        return Look("no", "")

    converge.eventually(look, within=3, successes=1, clock=clock)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert min(gaps) >= 0.01
    assert max(gaps) <= 0.11


def test_what_cannot_heal_ends_the_wait_at_once(clock):
    """An exception passes through after the first look."""
    tries = []

    def look() -> Look:
        tries.append(1)
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        converge.eventually(look, within=60, successes=1, clock=clock)
    assert len(tries) == 1


def test_consistently_holds_to_its_end(clock):
    """What stays true is looked at for the whole time."""
    began = clock.now()
    course = converge.consistently(looks([""]), duration=2, clock=clock)
    assert course.difference == ""
    assert clock.now() - began >= 2
    assert course.tries >= 20


def test_consistently_ends_with_the_first_difference(clock):
    """One difference is enough, and it is the one that is told."""
    course = converge.consistently(looks(["", "", "no", ""]), duration=60, clock=clock)
    assert (course.difference, course.tries) == ("no", 3)


def test_consistently_looks_at_least_twice(clock):
    """A very short time still means that something stayed, so it is looked twice."""
    assert converge.consistently(looks([""]), duration=0.001, clock=clock).tries == 2
