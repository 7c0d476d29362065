"""What has its turn when, each thing once: the earliest time that was asked for counts. It does not know the time."""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

K = TypeVar("K")


class Agenda(Generic[K]):
    """Things with a time, in seconds of one clock."""

    def __init__(self) -> None:
        self._at: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._count = 0

    def __len__(self) -> int:
        """How many things wait."""
        return len(self._at)

    def __contains__(self, thing: K) -> bool:
        """Whether it waits for its turn."""
        return thing in self._at

    def put(self, thing: K, at: float) -> None:
        """Give it its turn then, if it has none before."""
        if at >= self._at.get(thing, float("inf")):
            return
        self._at[thing] = at
        self._count += 1  # things need no order among themselves
        heapq.heappush(self._heap, (at, self._count, thing))

    def drop(self, thing: K) -> None:
        """Give it no turn."""
        self._at.pop(thing, None)

    def take(self, now: float) -> K | None:
        """The thing whose turn it is; None where there is none yet."""
        at = self.next()
        if at is None or at > now:
            return None
        thing = heapq.heappop(self._heap)[2]
        del self._at[thing]
        return thing

    def next(self) -> float | None:
        """When the next turn is."""
        while self._heap and self._at.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None
