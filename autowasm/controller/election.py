"""Which of several controllers writes, as one of them sees it. A state machine: it gets the time as a number.

- The holder of the Lease writes, as long as its last renewal is younger than the Lease lasts, less a margin.
- Nobody takes a Lease from another one before it lay unchanged for as long as it lasts, by the own clock: clocks
  of several machines are never compared.
- A holder that finds itself named goes on at once: it was started again over its own folder.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Final

from autowasm.kube.tenure import Tenure

LEASE_SECONDS: Final = 12
"""How long a Lease lasts: what the loss of the writing replica costs at most, beside one look."""

_MARGIN: Final = 1 / 6
"""A holder stops by this part of the Lease before others may begin."""


@dataclass(slots=True)
class Election:
    """The state of one candidate; ``lasts`` is the Lease's time in seconds."""

    identity: str
    lasts: int = LEASE_SECONDS
    _seen: Tenure = field(default_factory=Tenure)
    _seen_at: float = 0.0
    _until: float = float("-inf")

    def leads(self, now: float) -> bool:
        """Whether this one is the one that writes."""
        return now < self._until

    def bid(self, seen: Tenure, now: float) -> Tenure | None:
        """What to write after this look at the Lease; None where it is another's."""
        if seen.version != self._seen.version:
            self._seen, self._seen_at = seen, now
        mine = seen.holder == self.identity
        lapsed = now - self._seen_at >= seen.seconds
        if seen.holder and not mine and not lapsed:
            self._until = float("-inf")
            return None
        bid = dataclasses.replace(seen, holder=self.identity, seconds=self.lasts)
        if mine:
            return bid
        taken = seen.transitions + (1 if seen.version else 0)
        return dataclasses.replace(bid, transitions=taken, acquired="")

    def won(self, written: Tenure, asked_at: float) -> None:
        """The bid was written; it was sent at ``asked_at``, before which nobody can have seen it."""
        self._seen, self._seen_at = written, asked_at
        self._until = asked_at + self.lasts * (1 - _MARGIN)

    def resign(self, seen: Tenure) -> Tenure | None:
        """Lead no more; what to write so that another one need not wait, None where there is nothing to give."""
        self._until = float("-inf")
        return dataclasses.replace(seen, holder="", seconds=1) if seen.holder == self.identity else None
