"""From pods, fetches and looks to the audience of one AutoWasm. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from autowasm.controller.sidecars.evidence import LAG_SECONDS
from autowasm.controller.sidecars.pods import Pod
from autowasm.controller.sidecars.records import Records
from autowasm.controller.sidecars.sights import Sight
from autowasm.controller.sidecars.targets import Target
from autowasm.istio.audience import Audience, Stuck
from autowasm.kube.names import Key

NAMED: Final = 20
"""Pods that are named: a status is read by people, and a fault that many have is seen in a few."""


@dataclass(frozen=True, slots=True)
class World:
    """What is known; sights by the pod's name."""

    records: Records
    sights: Mapping[Key, Sight]
    now: float

    def sight(self, pod: Pod) -> Sight | None:
        """What was seen of the present container of its sidecar."""
        found = self.sights.get(pod.key)
        return found if found is not None and found.life == pod.life else None


@dataclass(slots=True)
class Account:
    """The audience, and what is open.

    Attributes:
        audience: what is known now.
        again: when time alone changes it, in seconds since the epoch; None for never.
        open: pods that have not been seen to run the version.
        unseen: whether one of those was given it, and nobody looked yet.
    """

    audience: Audience
    again: float | None = None
    open: list[Pod] = field(default_factory=list)
    unseen: bool = False


def account(key: Key, target: Target, members: Sequence[Pod], world: World) -> Account:
    """The audience of the AutoWasm ``key``, whose pods these are."""
    having = _having(target, members)
    made = Account(Audience(len(having), 0, 0))
    fetched = loaded = 0
    stuck: list[Stuck] = []
    unproven: list[Stuck] = []
    for pod in having if target.digest else ():
        sight, got = world.sight(pod), _fetched(pod, target, world)
        fetched += got is not None
        if got is not None and sight is not None and sight.runs(key, target):
            loaded += 1
            continue
        made.open.append(pod)
        named = _named(key, pod)
        if got is not None:
            made.unseen |= sight is None or not sight.tried
            (stuck if _fails(sight) else unproven).append(Stuck(named, _unproven(sight)))
        elif (due := max(target.since, pod.since) + LAG_SECONDS) > world.now and not pod.trouble:
            made.again = min(due, made.again or due)
        elif _may_have(pod, target, sight):
            unproven.append(
                Stuck(named, "its sidecar asked nobody for the module: it may have it from before")
            )
        else:
            stuck.append(Stuck(named, _unfetched(pod, target, sight)))
    made.audience = Audience(
        pods=len(having),
        fetched=fetched,
        loaded=loaded,
        stuck=tuple(stuck[:NAMED]),
        without_sidecar=tuple(_named(key, pod) for pod in _bare(target, members))[:NAMED],
        foreign_ports=tuple(_foreign(target, members)),
        unproven=tuple(unproven[:NAMED]),
        digest=target.digest,
    )
    return made


def _having(target: Target, members: Sequence[Pod]) -> Sequence[Pod]:
    """Those with a sidecar. Where some have a port of the filter, those that declare only others are not meant."""
    having = [pod for pod in members if pod.sidecar]
    return [pod for pod in having if not target.misses(pod)] or having


def _bare(target: Target, members: Sequence[Pod]) -> Sequence[Pod]:
    """Those without a sidecar; nobody expects one of all pods that there are."""
    everybody = not target.labels and any(pod.sidecar for pod in members)
    return [] if everybody else [pod for pod in members if not pod.sidecar]


def _fetched(pod: Pod, target: Target, world: World) -> float | None:
    assert target.digest is not None
    return world.records.fetched(pod, target.digest)


def _fails(sight: Sight | None) -> bool:
    return sight is not None and sight.finding is not None and sight.finding.fails and not sight.fault


def _unproven(sight: Sight | None) -> str:
    if sight is None or not sight.tried:
        return "its sidecar was not looked at yet"
    return sight.fault or (sight.finding.why if sight.finding else "") or "its sidecar is looked at again"


def _may_have(pod: Pod, target: Target, sight: Sight | None) -> bool:
    """Whether its sidecar was told of the version and had what it was told of, from before the present records."""
    if pod.trouble or target.misses(pod) or sight is None or sight.fault or sight.last is None:
        return False
    seen = sight.last.seen
    return seen.hits > 0 and not seen.warming and not seen.failures and seen.updated >= target.since


def _unfetched(pod: Pod, target: Target, sight: Sight | None) -> str:
    """Why a sidecar has not asked for the version, as far as it can be seen."""
    if pod.trouble:
        return f"its sidecar does not run: {pod.trouble}"
    if target.misses(pod):
        return f"none of its containers declares port {' or '.join(map(str, target.ports))}"
    if sight is None or not sight.tried:
        return "its sidecar was not given the module"
    if sight.fault:
        return f"its sidecar was not given the module; {sight.fault}"
    assert sight.last is not None
    seen = sight.last.seen
    if seen.warming:
        return "its sidecar asks for the module and is not given it"
    if seen.updated < target.since:
        return "its sidecar got no listeners from istiod since the EnvoyFilter was written"
    if seen.failures:
        return "its sidecar gave up asking for a module, and asks again with the next change of its listeners"
    return "its sidecar got listeners from istiod, and does not ask for the module"


def _foreign(target: Target, members: Sequence[Pod]) -> Iterator[int]:
    declaring = [pod for pod in members if pod.ports]
    for port in target.ports if declaring else ():
        if not any(port in pod.ports for pod in declaring):
            yield port


def _named(key: Key, pod: Pod) -> str:
    return pod.key.name if pod.key.namespace == key.namespace else str(pod.key)
