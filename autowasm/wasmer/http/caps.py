"""The bounds of a server, as one value, so that tests can have narrow ones."""

from __future__ import annotations

from dataclasses import dataclass

from autowasm import limits


@dataclass(frozen=True, slots=True)
class Caps:
    """Bounds; those in seconds are waits, see ``autowasm.limits`` for the reasons."""

    connections: int = limits.CONNECTIONS
    spare: int = limits.CONNECTIONS_SPARE
    per_address: int = limits.CONNECTIONS_PER_ADDRESS
    idle: float = limits.KEEP_ALIVE_SECONDS
    head: float = limits.REQUEST_HEAD_SECONDS
    grace: float = limits.SLOW_GRACE_SECONDS
    least: int = limits.SLOWEST_BYTES_PER_SECOND
