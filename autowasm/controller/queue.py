"""Which name is worked on next. A state machine: it gets the time as a number and never waits itself.

- A name is worked on by one worker at a time; what is added meanwhile is worked on once more afterwards.
- A name that is added many times before its turn gets one turn.
- A name whose work is to be tried again has its turn when its wait is over; the wait grows with each failure
  in a row. An addition gives it a turn sooner, which says that its wait is not over: a worker that finds no
  news skips it, and the wait goes on; one that finds news works, and waits grow from the start again.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from autowasm.controller.plan import Again

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Turn(Generic[K]):
    """A name whose turn it is; ``due`` where its wait is over."""

    key: K
    due: bool


@dataclass(slots=True)
class _State:
    queued: bool = False
    active: bool = False
    added: bool = False
    lapsed: bool = False
    due: bool = False
    failures: int = 0
    due_at: float | None = None


@dataclass(slots=True)
class Queue(Generic[K]):
    """The queue. Times are seconds of one monotonic clock.

    Args:
        first: the wait after the first failure, in seconds; each further one doubles it up to its cap.
        spread: gives a factor near 1, so that many names that failed together do not come back together.
    """

    first: float = 0.2
    spread: Callable[[], float] = lambda: 1.0
    _states: dict[K, _State] = field(default_factory=dict)
    _ready: deque[K] = field(default_factory=deque)
    _waits: list[tuple[float, int, K]] = field(default_factory=list)
    _count: int = 0

    def __len__(self) -> int:
        """How many names have their turn now, or are at work and added again."""
        return len(self._ready) + sum(state.active and state.added for state in self._states.values())

    def add(self, key: K) -> None:
        """There may be news about this name."""
        state = self._states.setdefault(key, _State())
        if state.active:
            state.added = True
        else:
            self._enqueue(key, state)

    def take(self, now: float) -> Turn[K] | None:
        """The next name, which is at work until ``done`` or ``skip``; None where none has its turn."""
        self._wake(now)
        if not self._ready:
            return None
        key = self._ready.popleft()
        state = self._states[key]
        state.queued, state.active, state.added, state.lapsed = False, True, False, False
        state.due = state.due_at is not None and state.due_at <= now
        return Turn(key, state.due)

    def done(self, key: K, now: float, again: Again | None) -> None:
        """The work is finished; where ``again`` is given the name comes back after its wait."""
        state = self._states[key]
        state.due_at, state.lapsed = None, False  # a wait that ended during the work is answered by it
        if again is not None:
            before = state.failures if state.due else 0
            grown = min(again.cap, self.first * 2 ** min(before, 32))
            state.failures = before + 1
            self._wait(key, state, now + max(again.after, grown * self.spread()))
        self._release(key, state)

    def skip(self, key: K) -> None:
        """There was no news; a wait that was on goes on."""
        state = self._states[key]
        if state.due and state.due_at is not None:
            self._wait(key, state, state.due_at)
        self._release(key, state)

    def next_due(self) -> float | None:
        """When the next wait is over; None where nothing waits."""
        while self._waits and self._stale(self._waits[0]):
            heapq.heappop(self._waits)
        return self._waits[0][0] if self._waits else None

    def _enqueue(self, key: K, state: _State) -> None:
        if not state.queued:
            state.queued = True
            self._ready.append(key)

    def _wait(self, key: K, state: _State, due_at: float) -> None:
        state.due_at = due_at
        self._count += 1  # names need no order among themselves
        heapq.heappush(self._waits, (due_at, self._count, key))

    def _wake(self, now: float) -> None:
        while (due := self.next_due()) is not None and due <= now:
            key = heapq.heappop(self._waits)[2]
            state = self._states[key]
            if state.active:
                state.lapsed = True
            else:
                self._enqueue(key, state)

    def _stale(self, wait: tuple[float, int, K]) -> bool:
        state = self._states.get(wait[2])
        return state is None or state.due_at != wait[0]

    def _release(self, key: K, state: _State) -> None:
        state.active = False
        if state.added or state.lapsed:
            self._enqueue(key, state)
        elif state.due_at is None and not state.queued:
            del self._states[key]
