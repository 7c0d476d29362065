"""Log lines: one JSON object a record on stderr, a constant message and fields."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Final

# What every record has; whatever else is on one was passed as ``extra``.
_BUILT_IN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


def setup(level: str) -> None:
    """Send all records of ``level`` (a name of ``logging``) and above to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # They narrate every request and every step of starting up; what matters of both is logged here, once.
    for library in ("httpx2", "httpcore2", "asyncio", "uvicorn.error"):
        logging.getLogger(library).setLevel(logging.WARNING)


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _BUILT_IN}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
