"""What stands for the state of a name: where two marks are equal, nothing happened between that matters.

A mark after a work is made of what the work read and of what its own writes answered, never of what the
watches say by then: a change that came in between must differ from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Mark:
    """Of the AutoWasm its spec (by generation) and status count, of the EnvoyFilter everything."""

    autowasm: tuple[str, int, bool, Any] | None
    envoyfilter: str | None


def of(autowasm: Object | None, envoyfilter: Object | None) -> Mark:
    """The mark of these two objects of one name."""
    version = None if envoyfilter is None else str(envoyfilter["metadata"]["resourceVersion"])
    if autowasm is None:
        return Mark(None, version)
    metadata = autowasm["metadata"]
    deleting = "deletionTimestamp" in metadata
    return Mark((metadata["uid"], metadata.get("generation", 0), deleting, autowasm.get("status")), version)


NOTHING: Final = of(None, None)
"""The mark of a name that names nothing."""
