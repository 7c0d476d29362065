"""In which order AutoWasms that can share a workload run there. A state machine: no clock, no I/O.

- Wanted is: by phase (authn, authz, stats, none), then by priority (the higher one first), then by namespace and
  name. When something was created counts nowhere, so an order survives deletion and re-creation.
- Two can share a workload if one namespace (or the root namespace) holds both, no label is asked for with two
  values, and context and ports meet.
- A place is a number: one more than the greatest among those that run before it and can share a workload with it,
  else 0. istiod applies EnvoyFilters with a lower ``spec.priority`` first, and each patch inserts right before
  its anchor, so the lower number runs first. Who shares with nobody, or is the first, has 0: the field is absent.
- Numbers depend on what is there and on nothing that was: a fresh controller gives the same.

A change costs what it touches: candidates are found by label, places are worked out anew only behind a change.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

from autowasm.kube.names import Key

_PHASES: Final = ("authn", "authz", "stats", "")

Rank = tuple[int, int, Key]


@dataclass(frozen=True, slots=True)
class Claim:
    """What of a spec decides where its filter runs, and when.

    Attributes:
        labels: the selector; none is every workload.
        everywhere: whether it reaches all namespaces: it lives in the mesh's root namespace.
        context: inbound, outbound or gateway.
        ports: ports that it applies to; none is all.
        phase: authn, authz, stats, or "".
        priority: the higher one runs first.
    """

    labels: Mapping[str, str]
    everywhere: bool = False
    context: str = ""
    ports: frozenset[int] = frozenset()
    phase: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a name runs: its number, and its nearest neighbours on a shared workload."""

    number: int = 0
    after: Key | None = None
    before: Key | None = None


ALONE: Final = Place()


@dataclass(slots=True)
class _Node:
    key: Key
    claim: Claim
    rank: Rank
    place: Place = ALONE
    sharing: list[Rank] = field(default_factory=list)  # sorted


@dataclass(slots=True)
class _Group:
    """The names of one namespace, by what their selectors ask for."""

    names: set[Key] = field(default_factory=set)
    asking: dict[str, set[Key]] = field(default_factory=lambda: defaultdict(set))
    holding: dict[tuple[str, str], set[Key]] = field(default_factory=lambda: defaultdict(set))

    def add(self, key: Key, labels: Mapping[str, str]) -> None:
        self.names.add(key)
        for item in labels.items():
            self.asking[item[0]].add(key)
            self.holding[item].add(key)

    def remove(self, key: Key, labels: Mapping[str, str]) -> None:
        self.names.discard(key)
        for item in labels.items():
            _discard(self.asking, item[0], key)
            _discard(self.holding, item, key)

    def candidates(self, labels: Mapping[str, str]) -> AbstractSet[Key]:
        """All that may share a workload with such a selector, and few that do not."""
        best: AbstractSet[Key] = self.names
        for item in labels.items():
            asking: AbstractSet[Key] = self.asking.get(item[0], frozenset())
            same: AbstractSet[Key] = self.holding.get(item, frozenset())
            if len(self.names) - len(asking) + len(same) < len(best):
                best = same if len(asking) == len(self.names) else (self.names - asking) | same
        return best


class Order:
    """The places of all names."""

    def __init__(self) -> None:
        self._nodes: dict[Key, _Node] = {}
        self._groups: dict[str, _Group] = defaultdict(_Group)
        self._everywhere = _Group()

    def of(self, key: Key) -> Place:
        """Where this name runs."""
        node = self._nodes.get(key)
        return node.place if node else ALONE

    def put(self, key: Key, claim: Claim | None) -> set[Key]:
        """Take in what a name claims now, None where it is gone; answers the other names whose place changed."""
        old = self._nodes.get(key)
        if old is not None and old.claim == claim:
            return set()
        before: dict[Key, Place] = {}
        if old is not None:
            self._leave(old, before)
        if claim is not None:
            self._enter(_Node(key, claim, _rank(key, claim)), before)
        return {other for other, place in before.items() if other != key and self.of(other) != place}

    def _leave(self, node: _Node, before: dict[Key, Place]) -> None:
        self._group(node).remove(node.key, node.claim.labels)
        if not self._groups[node.key.namespace].names:
            del self._groups[node.key.namespace]
        del self._nodes[node.key]
        for rank in node.sharing:
            other = self._nodes[rank[2]]
            other.sharing.pop(bisect.bisect_left(other.sharing, node.rank))
        self._settle(self._next_to(node), before)

    def _enter(self, node: _Node, before: dict[Key, Place]) -> None:
        for key in self._candidates(node):
            other = self._nodes[key]
            if _share(node.claim, other.claim):
                node.sharing.append(other.rank)
                bisect.insort(other.sharing, node.rank)
        node.sharing.sort()
        self._nodes[node.key] = node
        self._group(node).add(node.key, node.claim.labels)
        before[node.key] = ALONE
        node.place = self._place(node)
        self._settle(self._next_to(node), before)

    def _next_to(self, node: _Node) -> list[Rank]:
        """Whose place this one's arrival or departure may change."""
        found = []
        for rank in node.sharing:
            place = self._nodes[rank[2]].place
            if rank < node.rank:
                nearest = place.before
                nearer = nearest is None or node.rank <= self._rank_of(nearest, node)
            else:
                nearest = place.after
                nearer = nearest is None or node.rank >= self._rank_of(nearest, node)
                nearer = nearer or place.number == node.place.number + 1 or place.number <= node.place.number
            if nearer:
                found.append(rank)
        return found

    def _rank_of(self, key: Key, gone: _Node) -> Rank:
        return gone.rank if key == gone.key else self._nodes[key].rank

    def _settle(self, due: list[Rank], before: dict[Key, Place]) -> None:
        """Work out the places of these names, and of those behind them whose number changes with theirs.

        ``before`` gets the places that change, as they were.
        """
        done = 0
        while done < len(due):
            node = self._nodes[due[done][2]]
            done += 1
            place = self._place(node)
            if place == node.place:
                continue
            if place.number != node.place.number:
                self._pass_on(node, place.number, due)
            before.setdefault(node.key, node.place)
            node.place = place

    def _pass_on(self, node: _Node, number: int, due: list[Rank]) -> None:
        """Add those behind whose number depends on the one that this node had, or has now."""
        for rank in node.sharing[bisect.bisect(node.sharing, node.rank) :]:
            theirs = self._nodes[rank[2]].place.number
            depends = theirs == node.place.number + 1 or theirs <= number
            at = bisect.bisect_left(due, rank)
            if depends and (at == len(due) or due[at] != rank):
                due.insert(at, rank)

    def _place(self, node: _Node) -> Place:
        at = bisect.bisect(node.sharing, node.rank)
        ahead = node.sharing[:at]
        number = 1 + max((self._nodes[rank[2]].place.number for rank in ahead), default=-1)
        after = ahead[-1][2] if ahead else None
        before = node.sharing[at][2] if at < len(node.sharing) else None
        return Place(number, after, before)

    def _candidates(self, node: _Node) -> AbstractSet[Key]:
        labels = node.claim.labels
        found = set(self._everywhere.candidates(labels))
        groups = self._groups.values() if node.claim.everywhere else (self._groups.get(node.key.namespace),)
        for group in groups:
            if group is not None:
                found |= group.candidates(labels)
        return found

    def _group(self, node: _Node) -> _Group:
        return self._everywhere if node.claim.everywhere else self._groups[node.key.namespace]


def _rank(key: Key, claim: Claim) -> Rank:
    return _PHASES.index(claim.phase), -claim.priority, key


def _share(one: Claim, other: Claim) -> bool:
    """Whether a workload may exist that both reach, in the same filter chain."""
    if one.context != other.context:
        return False
    if one.ports and other.ports and not one.ports & other.ports:
        return False
    return all(other.labels.get(key, value) == value for key, value in one.labels.items())


def _discard(index: dict[Any, set[Key]], item: Any, key: Key) -> None:
    index[item].discard(key)
    if not index[item]:
        del index[item]
