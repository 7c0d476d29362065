"""Which blobs give way when room is needed. Policy alone: it knows neither disks nor clocks.

    wanted              stays, whatever happens
    used lately         stays: somebody may be about to ask again
    the rest            goes, what was used the longest time ago first, and only as far as room is needed

So a blob that nobody wants any more is kept for as long as there is room.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from autowasm.digest import Digest


@dataclass(frozen=True, slots=True)
class Held:
    """A blob that is kept: ``size`` in bytes, ``used`` in seconds of the clock that also gives the time now."""

    digest: Digest
    size: int
    used: float


def victims(
    held: Iterable[Held], need: int, wanted: Collection[Digest], used_before: float
) -> tuple[Digest, ...]:
    """What to drop, in this order, so that at least ``need`` bytes get free.

    Fewer bytes get free, perhaps none, where nothing else may go.

    Args:
        held: all blobs.
        need: bytes; nothing is dropped for none.
        wanted: what stays in any case.
        used_before: only what was last used before this may go.
    """
    may_go = sorted(
        (one for one in held if one.digest not in wanted and one.used < used_before),
        key=lambda one: (one.used, one.digest),
    )
    chosen: list[Digest] = []
    for one in may_go:
        if need <= 0:
            break
        chosen.append(one.digest)
        need -= one.size
    return tuple(chosen)
