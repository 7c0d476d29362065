"""Parts of a bring-up as events."""

from __future__ import annotations

import threading

import pytest

from harness import events
from harness.meshes.phases import Phases


def test_parts_beside_each_other_are_timed_each() -> None:
    """Two parts that wait for one another both end, each with its time and the time since the start."""
    told: list[events.Event] = []
    phases = Phases(told.append)
    first, second = threading.Event(), threading.Event()

    def one() -> str:
        with phases.phase("one", "detail"):
            first.set()
            assert second.wait(20)
        return "value"

    def two() -> None:
        with phases.phase("two"):
            assert first.wait(20)
            second.set()

    parts = [phases.start(one), phases.start(two)]
    assert [part.result() for part in parts] == ["value", None]
    phases.close()
    ended = [event for event in told if isinstance(event, events.PhaseEnded)]
    assert {event.phase for event in ended} == {"one", "two"}
    assert all(event.since_start is not None and event.since_start >= event.seconds >= 0 for event in ended)
    assert events.PhaseStarted("one", "detail") in told


def test_a_part_that_fails_is_not_told_as_ended() -> None:
    """The failure comes out of the part's future, and no end is reported for it."""
    told: list[events.Event] = []
    phases = Phases(told.append)

    def part() -> None:
        with phases.phase("bad"):
            raise ValueError("no")

    future = phases.start(part)
    with pytest.raises(ValueError, match="no"):
        future.result()
    phases.close()
    assert told == [events.PhaseStarted("bad")]
