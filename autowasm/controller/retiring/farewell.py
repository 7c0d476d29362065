"""The status of an AutoWasm whose filter was taken out of the mesh. Pure.

It keeps what the spec was resolved to: an installation that comes later brings the same module back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from autowasm.controller import standing

_MESSAGE: Final = (
    "AutoWasm was uninstalled and took the filter out of the mesh; it is brought back by the next one"
)

# Counts of sidecars that have what nobody has any more.
_COUNTS: Final = frozenset({"fetched", "loaded"})

# True of a filter that is in the mesh, and of no other.
_IN_THE_MESH: Final = frozenset({"Served", "Programmed", "Loaded"})


def status(previous: Mapping[str, Any] | None, now: str) -> dict[str, Any] | None:
    """The status after the filter left; ``now`` is RFC 3339. None where nobody wrote one yet."""
    if not previous:
        return None
    found = [_left(item, now) for item in previous.get("conditions") or ()]
    kept = {key: value for key, value in previous.items() if key not in _COUNTS}
    return {**kept, "phase": "Pending", "conditions": found}


def _left(item: Mapping[str, Any], now: str) -> dict[str, Any]:
    if item.get("type") not in _IN_THE_MESH or item.get("reason") == standing.UNINSTALLED:
        return dict(item)
    since = item.get("lastTransitionTime", now) if item.get("status") == "False" else now
    return {
        **item,
        "status": "False",
        "reason": standing.UNINSTALLED,
        "message": _MESSAGE,
        "lastTransitionTime": since,
    }
