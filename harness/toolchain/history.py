"""How long each part took last time, so that whoever waits knows for how long."""

from __future__ import annotations

import json
from pathlib import Path

from harness.toolchain import cache


def _file() -> Path:
    return cache.root() / "toolchain" / "times.json"


def seconds(name: str) -> float | None:
    """Seconds that the part took last time, or None."""
    found = cache.read_json(_file()).get(name)
    return float(found) if isinstance(found, int | float) else None


def remember(name: str, took: float) -> None:
    """Keep how many seconds the part took; runs at the same time lose no entry."""
    with cache.locked(_file(), what="remembers a time"):
        times = cache.read_json(_file()) | {name: round(took, 1)}
        cache.write(_file(), json.dumps(times, indent=1, sort_keys=True).encode())
