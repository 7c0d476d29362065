"""Figures as values, and how they are told."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Series:
    """Measurements of one thing, in seconds, in the order in which they were taken."""

    name: str
    seconds: Sequence[float]
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """The figure to quote."""
        return statistics.median(self.seconds)

    def row(self) -> str:
        """One line for people."""
        low, high = min(self.seconds), max(self.seconds)
        return f"{self.name:<44} {self.median:8.3f} s   ({low:.3f} to {high:.3f}, n={len(self.seconds)})"


def write(file: Path, series: Sequence[Series], notes: Mapping[str, Any]) -> None:
    """Keep the figures, with what they were measured on."""
    machine = {
        "cpus": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    rows = [
        {"name": one.name, "median_s": round(one.median, 4), "runs_s": [round(s, 4) for s in one.seconds]}
        | one.notes
        for one in series
    ]
    file.write_text(json.dumps({"machine": machine, **notes, "series": rows}, indent=2) + "\n")
