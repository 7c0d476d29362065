"""Parts of a bring-up that run beside each other, each told as events with its own time and the time since the start.

A part that fails stops the others from being waited for: the first failure is the one that is raised.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from harness import events

P = ParamSpec("P")
T = TypeVar("T")


class Phases:
    """Starts parts in threads of their own and times them. Events come one at a time."""

    def __init__(self, emit: events.Emit) -> None:
        self._emit = emit
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._pool = ThreadPoolExecutor(max_workers=16, thread_name_prefix="phase")

    def start(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a part beside the others; it waits for those it needs by their futures."""
        return self._pool.submit(function, *args, **kwargs)

    @contextlib.contextmanager
    def phase(self, name: str, detail: str = "") -> Iterator[None]:
        """Time a part. Only one that succeeds is told as ended."""
        with self._lock:
            self._emit(events.PhaseStarted(name, detail))
        began = time.monotonic()
        yield
        with self._lock:
            now = time.monotonic()
            self._emit(events.PhaseEnded(name, now - began, detail, now - self._began))

    def close(self, *, wait: bool = False) -> None:
        """Begin nothing more; ``wait`` for the parts that run, where they could still make something."""
        self._pool.shutdown(wait=wait, cancel_futures=True)
