"""Looking more than once: until something is so, or for as long as it must stay so.

The clock is an argument, so that time is the caller's. What cannot heal is an exception out of ``look`` and
ends the wait at once; only what may still change is a difference.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

FIRST_PAUSE: Final = 0.01
LONGEST_PAUSE: Final = 0.1
"""Seconds between two looks: short at first, since most things come true within a push, then easier on it."""
STEADY_PAUSE: Final = 0.05
_KEPT: Final = 3


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from: seconds that only grow, and a way to let some pass."""

    now: Callable[[], float]
    sleep: Callable[[float], None]


REAL: Final = Clock(time.monotonic, time.sleep)


@dataclass(frozen=True, slots=True)
class Look:
    """One look: the first difference (empty where all is as expected) and what was seen, in one line."""

    difference: str
    brief: str


@dataclass(frozen=True, slots=True)
class Course:
    """How the looking went; ``difference`` is empty exactly when it ended well; ``last`` looks are kept."""

    tries: int
    seconds: float
    difference: str
    last: Sequence[Look]


class _Watch:
    def __init__(self, look: Callable[[], Look], clock: Clock) -> None:
        self._look = look
        self._clock = clock
        self._began = clock.now()
        self._last: deque[Look] = deque(maxlen=_KEPT)
        self._tries = 0

    def look(self) -> str:
        self._tries += 1
        seen = self._look()
        self._last.append(seen)
        return seen.difference

    @property
    def seconds(self) -> float:
        return self._clock.now() - self._began

    def course(self, difference: str = "") -> Course:
        return Course(self._tries, self.seconds, difference, tuple(self._last))


def eventually(look: Callable[[], Look], within: float, successes: int, clock: Clock) -> Course:
    """Look until it was as expected ``successes`` times in a row, for at most ``within`` seconds.

    It is looked at least so often as would be enough, however little time there is.
    """
    watch = _Watch(look, clock)
    in_a_row, tries, pause = 0, 0, FIRST_PAUSE
    while True:
        difference = watch.look()
        tries += 1
        in_a_row = 0 if difference else in_a_row + 1
        if in_a_row >= successes:
            return watch.course()
        if watch.seconds >= within and tries >= successes:
            return watch.course(
                difference or f"as expected only {in_a_row} times in a row, expected {successes}"
            )
        pause = min(pause * 1.5, LONGEST_PAUSE) if difference else FIRST_PAUSE
        clock.sleep(pause)


def consistently(look: Callable[[], Look], duration: float, clock: Clock) -> Course:
    """Look again and again for ``duration`` seconds, and at least twice; the first difference ends it."""
    watch = _Watch(look, clock)
    difference, tries = watch.look(), 1
    while not difference and (watch.seconds < duration or tries < 2):
        clock.sleep(min(STEADY_PAUSE, duration))
        difference = watch.look()
        tries += 1
    return watch.course(difference)
