"""Parts of a build that run beside each other, each told with its time; events come one at a time."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from harness import events
from harness.toolchain import history

P = ParamSpec("P")
T = TypeVar("T")


class Work:
    """Starts parts in threads of their own. Those that wait for others do so by their futures."""

    def __init__(self, emit: events.Emit) -> None:
        self._emit = emit
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="images")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """Wait for parts that run; after a failure those that have not begun never do."""
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)

    def emit(self, event: events.Event) -> None:
        """Tell one event, whoever else tells one now."""
        with self._lock:
            self._emit(event)

    def start(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a part beside the others."""
        return self._pool.submit(function, *args, **kwargs)

    @contextlib.contextmanager
    def phase(self, name: str, detail: str = "") -> Iterator[None]:
        """Time a part, and remember for the next run how long it took. Only one that succeeds is told as ended."""
        self.emit(events.PhaseStarted(name, detail, history.seconds(name)))
        began = time.monotonic()
        yield
        now = time.monotonic()
        self.emit(events.PhaseEnded(name, now - began, detail, now - self._began))
        history.remember(name, now - began)
