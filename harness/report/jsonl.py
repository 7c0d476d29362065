"""JSON lines: one event a line, for programs. ``event`` is its type in kebab-case, the rest its fields."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import IO, Any

from harness import events


class Report:
    """Writes each event to a stream as it comes."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def __call__(self, event: events.Event) -> None:
        """Write one event."""
        self._stream.write(json.dumps(as_data(event), ensure_ascii=False) + "\n")
        self._stream.flush()


def as_data(event: events.Event) -> dict[str, Any]:
    """The event as JSON can say it."""
    kind = re.sub(r"(?<!^)([A-Z])", r"-\1", type(event).__name__).lower()
    return {"event": kind, **dataclasses.asdict(event)}
