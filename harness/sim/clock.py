"""Simulated time: it stands still while code runs, and jumps to the next thing that is due. Nothing sleeps."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Final

Action = Callable[[], None]

START: Final = 1_700_000_000_000_000_000
"""Nanoseconds since 1970 at which every simulation begins."""
MILLISECOND: Final = 1_000_000
_MOST: Final = 200_000
"""Things that happen one after the other before they are taken for endless: messages that cause messages."""
_READ: Final = 1_000
"""What reading the clock costs, in nanoseconds: two readings differ, as they do in life."""


def _nothing() -> None:
    """See Timer.cancel."""


class Timer:
    """Something that is due; it can be cancelled."""

    __slots__ = ("action", "at", "cancelled")

    def __init__(self, at: int, action: Action) -> None:
        self.at, self.action, self.cancelled = at, action, False

    def cancel(self) -> None:
        """Make it never happen."""
        self.cancelled = True
        self.action = _nothing  # what it would have done is not kept until it would have been due


class Clock:
    """Nanoseconds since 1970, and what is due when."""

    def __init__(self) -> None:
        self._now = START
        self._due: list[tuple[int, int, Timer]] = []
        self._order = itertools.count()

    @property
    def now(self) -> int:
        """The time."""
        return self._now

    def read(self) -> int:
        """The time as code reads it, which takes a moment."""
        self._now += _READ
        return self._now

    def after(self, milliseconds: float, action: Action) -> Timer:
        """Have something happen so much later; what is due at the same time keeps its order."""
        timer = Timer(self._now + int(milliseconds * MILLISECOND), action)
        heapq.heappush(self._due, (timer.at, next(self._order), timer))
        return timer

    def step(self, until: int | None = None) -> bool:
        """Jump to the next thing and do it; False where there is none, or none up to a time."""
        while self._due and (until is None or self._due[0][0] <= until):
            at, _, timer = heapq.heappop(self._due)
            if not timer.cancelled:
                self._now = max(self._now, at)
                timer.action()
                return True
        return False

    def run(self, milliseconds: float, wanted: Callable[[], bool]) -> None:
        """Let things happen as long as they are wanted, up to so much later, and no more than many."""
        until = self._now + int(milliseconds * MILLISECOND)
        for _ in range(_MOST):
            if not (wanted() and self.step(until)):
                return

    def sleep(self, milliseconds: float) -> None:
        """Let time pass; all that is due in it happens, unless it is without end."""
        until = self._now + int(milliseconds * MILLISECOND)
        self.run(milliseconds, lambda: True)
        self._now = max(self._now, until)
