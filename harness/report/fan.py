"""One emitter for several reports. Events may come from several threads; each report sees one at a time."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from harness import events


class Fan:
    """Hands every event to every report, and keeps what phases took."""

    def __init__(self, reports: Sequence[events.Emit]) -> None:
        self._reports = tuple(reports)
        self._lock = threading.RLock()
        self.phases: list[tuple[str, float]] = []

    def __call__(self, event: events.Event) -> None:
        """Hand on one event."""
        with self._lock:
            if isinstance(event, events.PhaseEnded):
                self.phases.append((event.phase, event.seconds))
            for report in self._reports:
                report(event)
