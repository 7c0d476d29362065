"""A module's metrics, from Envoy's statistics: a number each, for histograms how many values and their sum."""

from __future__ import annotations

import re
from typing import Any, Final

from harness.fidelity.envoy import Envoy

_PREFIX: Final = "wasmcustom."
_FILTER: Final = f"filter=^{re.escape(_PREFIX)}"
_TOTAL: Final = re.compile(r"^(\w+)_(count|sum)\{\} (\S+)$", re.MULTILINE)


def read(envoy: Envoy) -> dict[str, Any]:
    """All of them, by the names that the module gave."""
    numbers = envoy.stats(f"^{re.escape(_PREFIX)}")
    found: dict[str, Any] = {name.removeprefix(_PREFIX): value for name, value in numbers.items()}
    return dict(sorted((found | _histograms(envoy)).items()))


def _histograms(envoy: Envoy) -> dict[str, dict[str, int]]:
    names = [line.partition(": ")[0] for line in envoy.ask(f"/stats?type=Histograms&{_FILTER}").splitlines()]
    if not names:
        return {}
    totals: dict[str, dict[str, int]] = {}
    for name, kind, value in _TOTAL.findall(envoy.ask(f"/stats/prometheus?{_FILTER}")):
        totals.setdefault(name, {})[kind] = int(float(value))
    own = (name.removeprefix(_PREFIX) for name in names)
    return {name: totals[re.sub(r"\W", "_", name)] for name in own}  # Prometheus leaves out the prefix
