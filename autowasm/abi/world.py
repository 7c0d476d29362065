"""What a module sees of its host: the state behind the host calls of a dry run.

The world is small and the same each time: a clock that only moves when it is read, bytes that look random
and are not, no clusters, no other VM. What only a real proxy could answer is noted in ``guesses``, so that
a refusal that may come from such an answer is not held against the module. Logs and copies are bounded.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, field
from typing import Final, Protocol

from autowasm.abi.outcome import NEWEST, Configuration, End, Remark
from autowasm.abi.stream import Stream

_LOG_LINES: Final = 20
_LOG_CHARS: Final = 400
_MOST_KEPT: Final = 1 << 20
_MOST_COPIED: Final = 1 << 28
"""Bytes that go in and out of a module in one run, in all: far more than a start needs."""

_CLOCK_START: Final = 1_700_000_000_000_000_000
_CLOCK_STEP: Final = 1_000


class Guest(Protocol):
    """The module under test, as host functions reach it."""

    def memory_size(self) -> int:
        """Size of its memory in bytes."""
        ...

    def read(self, pointer: int, size: int) -> bytes:
        """Bytes of its memory; the range was checked."""
        ...

    def write(self, pointer: int, data: bytes) -> None:
        """Change its memory; the range was checked."""
        ...

    def allocate(self, size: int) -> int:
        """Ask its allocator; 0 where it has nothing or fails."""
        ...


@dataclass(slots=True)
class World:
    """State of one run. ``configuring`` is whether a plugin is being created or configured.

    ``spent`` are the steps of host functions that do more the more there is: they count as calls, too.
    ``stream`` is the request under way, None before; ``end`` is the proxy's own end, where a call of the module
    brought it about.
    """

    guest: Guest
    abi: str
    configuration: Configuration
    envoy: tuple[int, int] = NEWEST
    configuring: bool = False
    stream: Stream | None = None
    end: End | None = None
    properties: dict[str, bytes] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)
    guesses: list[str] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    shared: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    metrics: dict[bytes, int] = field(default_factory=dict)
    values: dict[int, int] = field(default_factory=dict)
    queues: dict[bytes, int] = field(default_factory=dict)
    messages: dict[int, deque[bytes]] = field(default_factory=dict)
    tokens: set[int] = field(default_factory=set)
    spent: int = 0
    _clock: int = _CLOCK_START
    _draws: int = 0
    _copied: int = 0

    def note(self, text: str) -> None:
        """Keep a log line, the last ones only."""
        self.logs.append(text[:_LOG_CHARS])
        del self.logs[:-_LOG_LINES]

    def guess(self, what: str) -> None:
        """Remember that an answer was given which only a proxy knows."""
        if what not in self.guesses and len(self.guesses) < _LOG_LINES:
            self.guesses.append(what[:_LOG_CHARS])

    def remark(self, what: Remark) -> None:
        """Remember what a user should know, once."""
        if what not in self.remarks:
            self.remarks.append(what)

    def spend(self, steps: int) -> None:
        """Count steps of a host function, beyond its call."""
        self.spent += steps

    def now(self) -> int:
        """Nanoseconds since 1970, a microsecond later each time."""
        self._clock += _CLOCK_STEP
        return self._clock

    def random(self, size: int) -> bytes:
        """Bytes that differ from call to call and not from run to run."""
        self._draws += 1
        if not self._may_copy(size):
            return bytes(size)
        return hashlib.shake_128(self._draws.to_bytes(8, "little")).digest(size)

    def reachable(self, pointer: int, size: int) -> bool:
        """Whether a range lies in the guest's memory (the host's getMemory)."""
        return pointer + size <= min(self.guest.memory_size(), 0xFFFF_FFFF)

    def read(self, pointer: int, size: int) -> bytes | None:
        """Bytes of the guest's memory, None outside of it; more than a megabyte is taken, and forgotten."""
        if not self.reachable(pointer, size) or not self._may_copy(min(size, _MOST_KEPT)):
            return None
        return self.guest.read(pointer, min(size, _MOST_KEPT))

    def write(self, pointer: int, data: bytes) -> bool:
        """Change the guest's memory; False outside of it."""
        if not self.reachable(pointer, len(data)) or not self._may_copy(len(data)):
            return False
        self.guest.write(pointer, data)
        return True

    def _may_copy(self, size: int) -> bool:
        self._copied += size
        return self._copied <= _MOST_COPIED

    def put(self, pointer: int, value: int, size: int = 4) -> bool:
        """Write a little-endian number of 4 or 8 bytes."""
        return self.write(pointer, value.to_bytes(size, "little"))

    def hand_over(self, data: bytes, pointer_at: int, size_at: int) -> bool:
        """Copy into memory that the guest allocates, and tell where (the host's copyToPointerSize)."""
        pointer = 0
        if data:
            pointer = self.guest.allocate(len(data))
            if pointer == 0 or not self.write(pointer, data):
                return False
        return self.put(pointer_at, pointer) and self.put(size_at, len(data))
