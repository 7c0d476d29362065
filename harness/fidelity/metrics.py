"""A module's metrics, from Envoy's statistics: a number each, for histograms how many values and their sum."""

from __future__ import annotations

import re
from typing import Any, Final

from harness.fidelity.envoy import Envoy

_PREFIX: Final = "wasmcustom."
_LINE: Final = re.compile(r"(\w+)_(count|sum)\{\} (\S+)")


def read(envoy: Envoy) -> dict[str, Any]:
    """All of them, by the names that the module gave."""
    numbers = envoy.stats(f"^{re.escape(_PREFIX)}")
    return {name.removeprefix(_PREFIX): value for name, value in sorted(numbers.items())}
