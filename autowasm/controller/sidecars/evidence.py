"""From what a sidecar fetched and what its statistics say: which modules it runs. Pure; it claims no more than it sees.

What Envoy shows, and what that proves (each measured on Envoy 1.40; no statistic names a digest):

- A fetch of a digest: the listener that carries it has arrived, since nothing else makes Envoy ask. That it is not
  the fetch of a process before this one, ``uptime`` tells.
- ``warming`` 0 after the fetch: the module was tried. Envoy starts VMs in the turn in which it stops waiting.
- ``vms``: a module that starts has as many VMs as workers, and two; one that does not (a missing import, a callback
  that refuses or traps) has none. While ``draining``, VMs of the version before count, too. So modules run where
  1. nothing drains, and there are as many VMs as all filters that should run have, no more and no less; or
  2. there are more VMs than before, by as many as all filters have, those included that ran before: a change of a
     listener starts all filters anew in the chains that differ. That was one change of one listener, or VMs of two
     changes would be added up. Where it was more, or not all chains differ, 1. has to be waited for.
- Without a fetch, as after a rollback to what Envoy has: that listeners were updated since our EnvoyFilter was written
  (``updated``) stands for the arrival. An update of something else in the same second would be taken for it.
- Filters of others have VMs, too. Their names are in the statistics of new Envoys, as long as they are there; they are
  counted as running, and where the sum is not right, nothing is proven.

istiod's view (/debug/syncz) is not asked: it is an acknowledgement of a push, which Envoy gives before the module is
fetched, and each istiod has it of its own sidecars only, for who has a token of the mesh's own audience.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from autowasm import limits
from autowasm.controller.sidecars import statistics
from autowasm.controller.sidecars.statistics import Statistics

LAG_SECONDS: Final = 15.0
"""After how long somebody who was not told of has not fetched: wasmers tell at once, and each 10 s what went wrong."""

_SUMS_SECONDS: Final = 10.0 + limits.CLOCKS_APART_SECONDS
"""How far Envoy's uptime may be behind: it sums up every five seconds, or ten."""


@dataclass(frozen=True, slots=True)
class Look:
    """Statistics, and the time at which they were asked for, in seconds since the epoch."""

    at: float
    seen: Statistics

    def began_after(self, time: float) -> bool:
        """Whether this Envoy process surely began after that."""
        return self.at - self.seen.uptime - _SUMS_SECONDS > time

    def follows(self, other: Look) -> bool:
        """Whether it is of the same Envoy process as that one before it."""
        apart = abs((self.at - self.seen.uptime) - (other.at - other.seen.uptime))
        return other.at < self.at and apart <= _SUMS_SECONDS and self.seen.updates >= other.seen.updates


@dataclass(frozen=True, slots=True)
class Wish:
    """A VM that should be in this sidecar: since when, when its module was fetched, whether it was proven before."""

    vm: str
    since: float
    fetched: float | None
    proven: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look proves.

    Attributes:
        proven: the VMs that run.
        why: why the others do not, or may not.
        fails: whether they surely do not.
        drains: whether it will be seen when the old connections are gone, in a minute or so.
    """

    proven: frozenset[str]
    why: str = ""
    fails: bool = False
    drains: bool = False


def judge(wishes: Iterable[Wish], plugins: Iterable[str], look: Look, base: Look | None) -> Finding:
    """What a look proves.

    Args:
        wishes: all VMs of ours that should be in this sidecar; one may be wished for by several filters.
        plugins: names of all filters of ours in it.
        look: what was seen.
        base: an earlier look at the same sidecar.
    """
    ours = {wish.vm: wish for wish in sorted(wishes, key=lambda wish: wish.since)}
    asked = [wish for wish in ours.values() if wish.fetched is not None]
    open_ = [wish for wish in asked if not wish.proven]
    if not open_:
        return Finding(frozenset())
    waits = _waits(open_, look)
    if waits:
        return Finding(frozenset(), waits)
    late = [wish for wish in ours.values() if wish.fetched is None and look.at - wish.since < LAG_SECONDS]
    found = frozenset(wish.vm for wish in open_)
    foreign = len(look.seen.plugins - set(map(statistics.spelt, plugins)))
    if base is not None and _grew(base, look, len(asked) + len(late) + foreign):
        return Finding(found)
    if late:
        return Finding(frozenset(), "another filter of its sidecar is on its way")
    if look.seen.draining:
        why = "its sidecar serves old connections still, with the version before"
        return Finding(frozenset(), why, drains=True)
    return _counted(look.seen, len(asked), foreign, found)


def _waits(wishes: Iterable[Wish], look: Look) -> str:
    """What has to happen before anything can be said about these."""
    if look.seen.warming:
        return "its sidecar waits for a module"
    for wish in wishes:
        assert wish.fetched is not None
        if look.began_after(wish.fetched):
            return "its sidecar was started again, and has not asked for the module since"
        # A whole second is what an EnvoyFilter's time has.
        if wish.fetched < wish.since and look.seen.updated < wish.since:
            return "its sidecar got no listeners from istiod since the EnvoyFilter was written"
    return ""


def _grew(base: Look, look: Look, filters: int) -> bool:
    changes = look.seen.modified - base.seen.modified
    return (
        look.follows(base) and changes == 1 and look.seen.vms >= base.seen.vms + filters * look.seen.vms_each
    )


def _counted(seen: Statistics, ours: int, foreign: int, found: frozenset[str]) -> Finding:
    expected = (ours + foreign) * seen.vms_each
    if seen.vms == expected:
        return Finding(found)
    have = f"its sidecar has {seen.vms} Wasm VMs, {expected} make {ours} of ours"
    have += f" and {foreign} of others" if foreign else ""
    if seen.vms < ours * seen.vms_each:
        return Finding(frozenset(), f"{have}: a module did not start there", fails=True)
    return Finding(frozenset(), f"{have}: which ones run cannot be told")
