"""The status of an AutoWasm that is suspended: what was last known, and that nothing is done about it now.

All that was known keeps the generation that it was found out about, so that a spec which was edited meanwhile does not
look as if it had been carried out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

TYPE: Final = "Suspended"
_MESSAGE: Final = "nothing is pulled and nothing is written; what is in the mesh stays, and stays served"


def status(previous: Mapping[str, Any] | None, generation: int, now: str) -> dict[str, Any]:
    """The whole ``.status``, equal to ``previous`` where nothing changed.

    Args:
        previous: the status that the object has, or None.
        generation: of the spec that asks for it.
        now: RFC 3339 time in UTC.
    """
    before = dict(previous or {})
    known = list(before.get("conditions") or ())
    since = [item.get("lastTransitionTime") for item in known if item.get("type") == TYPE]
    condition = {
        "type": TYPE,
        "status": "True",
        "reason": TYPE,
        "message": _MESSAGE,
        "lastTransitionTime": since[0] if since and since[0] else now,
        "observedGeneration": generation,
    }
    others = [item for item in known if item.get("type") != TYPE]
    return {
        "phase": "Pending",
        **before,
        "observedGeneration": generation,
        "conditions": [*others, condition],
    }
