"""A program that is started again when it ends, as a kubelet does with a container, and whether it is ready.

An end that nobody brought about is none of this business: the program stays as it is and ``check`` tells, since a
program that dies by itself is what a test must not hide.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from signal import Signals
from typing import Final

from harness.services.process import Process, wait_until

TICK: Final = 0.05
PROBE_SECONDS: Final = 0.5
BACK_OFF: Final = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Seconds before one more start, ten times quicker than a kubelet's; a start that went well for a while begins anew."""
_CALM_SECONDS: Final = 30.0


class Container:
    """One program under watch, from ``watch`` until ``leave``.

    ``changed`` is called whenever its state did; ``ready`` asks the program, and may take a second.
    """

    def __init__(self, name: str, process: Process, ready: Callable[[], bool]) -> None:
        self.name = name
        self.process = process
        self.ready = True
        self.restarts = 0
        self.started = _now()
        self.changed: Callable[[], None] = lambda: None
        self._asked = ready
        self._harms = 0
        self._doomed = -1  # which start of it was killed
        self._returning = False
        self._hurt = float("-inf")
        self._held = threading.Event()
        self._at_once = False
        self._left = threading.Event()
        self._began = time.monotonic()
        self._thread: threading.Thread | None = None
        self._extra: Mapping[str, str] = {}
        self.worn: Mapping[str, str] = {}

    @property
    def lost(self) -> bool:
        """Whether it ended and nobody had brought that about."""
        excused = self._doomed == self.restarts or self._harms or self._returning
        return not self.process.alive and not excused

    @property
    def troubled(self) -> bool:
        """Whether it was harmed a moment ago, or is away for it."""
        return not self.ready or self._harms > 0 or time.monotonic() - self._hurt < _CALM_SECONDS

    @property
    def running(self) -> bool:
        """Whether it is there now, ready or not."""
        return self.process.alive

    def watch(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"watch-{self.name}")
        self._thread.start()

    def leave(self) -> None:
        """Start it no more; returns once nothing is under way."""
        self._left.set()
        if self._thread:
            self._thread.join()

    def kill(self) -> int:
        """SIGKILL; it is started again. Returns the process's id."""
        self._doomed = self.restarts
        self._hurt = time.monotonic()
        pid = self.process.pid
        self.process.signal(Signals.SIGKILL)
        return pid

    def harm(self) -> None:
        """From now on an end of it is no surprise, until as many ``heal`` calls."""
        self._harms += 1

    def heal(self) -> None:
        """One harm less."""
        self._harms -= 1

    def hold(self) -> None:
        """SIGKILL, and it stays away until ``release``."""
        self._held.set()
        self._at_once = True
        self.kill()

    def release(self) -> None:
        """It may be started again, at once."""
        self._held.clear()

    def await_back(self, timeout: float) -> bool:
        """Wait until it runs and is ready, at most ``timeout`` seconds; whether it is."""
        return wait_until(lambda: self.running and self.ready and not self._returning, timeout)

    def again_with(self, extra: Mapping[str, str]) -> None:
        """From its next start on it has this, and nothing else, beside its own environment; ``worn`` is what it has."""
        self._extra = extra

    def _run(self) -> None:
        due = 0.0
        while not self._left.wait(TICK):
            if not self.process.alive:
                self._ended()
                due = 0.0
            elif time.monotonic() >= due:
                self._set(self._asked())
                due = time.monotonic() + (PROBE_SECONDS if self.ready else TICK)

    def _ended(self) -> None:
        self._set(False)
        if self.lost:
            return
        self._returning = True
        well = time.monotonic() - self._began > _CALM_SECONDS
        pause = 0.0 if well or self._at_once else BACK_OFF[min(self.restarts, len(BACK_OFF) - 1)]
        until = time.monotonic() + pause
        while self._held.is_set() or time.monotonic() < until:
            if self._left.wait(TICK):
                return
        self.worn = self._extra
        self.process.again(self.worn)
        self.restarts += 1
        self._returning = self._at_once = False
        self.started = _now()
        self._began = time.monotonic()
        self.changed()

    def _set(self, ready: bool) -> None:
        if ready != self.ready:
            self.ready = ready
            self.changed()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
