"""Runs chaos on a mesh: rounds until the time is over, then all is compared with a fresh installation."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from harness.mesh import FaultWish, Load, LoadWish, Mesh, Refused, RequestWish, ScaleWish
from harness.meshes.chaos import plan
from harness.meshes.chaos.plan import Edit, Move, Round
from harness.meshes.chaos.wanted import Wanted
from harness.observation import LoadResult

SETTLE_SECONDS: Final = 120.0
"""How long the mesh may take to be as the edits say once the harm is over: more than a Lease and the longest wait."""

_POLL_SECONDS: Final = 0.1
_REPLICAS: Final = 2
_LASTING: Final = frozenset({"down", "flap", "hang", "cut", "slow", "fill", "clock"})


class Chaotic(Mesh, Protocol):
    """A mesh whose installation can be made anew."""

    def reinstall(self, forget: Callable[[], None]) -> None:
        """Take wasmer and the controller away with all that they stored, have it forgotten, and begin anew."""
        ...


@dataclass(frozen=True, slots=True)
class Settings:
    """For how long, from which seed, where to write what explains a failure, and whether clocks may jump."""

    seconds: float
    seed: int
    artifacts: Path
    clock: bool = True


@dataclass(slots=True)
class Outcome:
    """What a run met; ``recovery`` is seconds to recover by kind of harm, ``wrong`` what must not have been."""

    rounds: int = 0
    edits: int = 0
    recovery: dict[str, list[float]] = field(default_factory=dict)
    traffic: dict[str, LoadResult] = field(default_factory=dict)
    lost: int = 0
    wrong: list[str] = field(default_factory=list)


Say = Callable[[str], None]


@dataclass(slots=True)
class Chaos:
    """One run."""

    mesh: Chaotic
    wanted: Wanted
    settings: Settings
    say: Say
    outcome: Outcome = field(default_factory=Outcome)

    def run(self) -> Outcome:
        """Make it, and say what it met. Raises Broken where the mesh itself breaks."""
        for workload in ("wasmer", "autowasm-controller"):
            self.mesh.scale(ScaleWish(workload, _REPLICAS))
        self.wanted.make(Edit(plan.STEADY, 0))
        self._settle([])
        loads = {port: self._load(port) for port in (9080, 9081)}
        try:
            self._rounds()
        finally:
            self.outcome.traffic = {f"port {port}": load.stop() for port, load in loads.items()}
        self._judge_traffic()
        if not self.outcome.wrong:
            self._compare()
        self.outcome.edits = self.wanted.made
        return self.outcome

    def _rounds(self) -> None:
        end = time.monotonic() + self.settings.seconds
        for one in plan.rounds(self.settings.seed, clock=self.settings.clock):
            if time.monotonic() > end or self.outcome.wrong:
                return
            self._round(one)

    def _load(self, port: int) -> Load:
        request = RequestWish("details", port, path="/details/1")
        watch = ("x-filter-version",)
        return self.mesh.load(LoadWish(request, rate=40, count=10**9, kept=2, fresh=2, watch=watch))

    def _round(self, one: Round) -> None:
        self.say(f"round {one.number}")
        done: list[FaultWish] = []
        try:
            for move in one.moves:
                self._move(move, done)
            time.sleep(one.dwell)
        finally:
            for wish in reversed(done):
                if wish.action in _LASTING:
                    self.mesh.fault(dataclasses.replace(wish, heal=True))
        self._settle(done)
        self.outcome.rounds += 1

    def _move(self, move: Move, done: list[FaultWish]) -> None:
        time.sleep(move.pause)
        self.say(f"  {move}")
        match move.what:
            case FaultWish() as wish:
                try:
                    self.mesh.fault(wish)
                except Refused as refusal:  # what was to be killed is down already: the plan knows no state
                    self.say(f"    not done: {refusal}")
                    return
                done.append(wish)
            case ScaleWish() as wish:
                self._unless_harmed(wish, done)
            case edit:
                self.wanted.make(edit)

    def _unless_harmed(self, wish: ScaleWish, done: Sequence[FaultWish]) -> None:
        """New replicas cannot become ready while the mesh is harmed, and would be waited for in vain."""
        if done:
            self.say("    not done while harm is done")
        else:
            self.mesh.scale(wish)

    def _settle(self, done: Sequence[FaultWish]) -> None:
        """Wait until all is as the edits say, and write down how long that took."""
        began = time.monotonic()
        while differences := self.wanted.differences():
            if time.monotonic() - began > SETTLE_SECONDS:
                self.outcome.lost += len(differences)
                self._is_wrong([f"{one}, {SETTLE_SECONDS:g} s after the last harm" for one in differences])
                return
            time.sleep(_POLL_SECONDS)
        seconds = time.monotonic() - began
        self.say(f"  as it must be after {seconds:.1f} s")
        for wish in done:
            self.outcome.recovery.setdefault(plan.label(wish), []).append(seconds)

    def _judge_traffic(self) -> None:
        for name, met in self.outcome.traffic.items():
            if met.failed:
                self._is_wrong([f"{name}: {met.failed} of {met.sent} requests failed", *met.failures[:5]])
        met = self.outcome.traffic["port 9080"]
        if bare := met.sent - met.failed - sum(met.seen.values()):
            self._is_wrong([f"port 9080: {bare} of {met.sent} answers had not passed the filter"])

    def _compare(self) -> None:
        """Whether a fresh installation makes the same of the same AutoWasms."""
        self.wanted.mend()
        self._settle([])
        before = self.wanted.filters()
        self.say("everything is installed anew")
        self.mesh.reinstall(self._forget)
        self._settle([])
        after = self.wanted.filters()
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                self._is_wrong([f"{name}: {told}" for told in _parts(before.get(name), after.get(name))])

    def _forget(self) -> None:
        """Have the cluster forget what the former installation wrote."""
        for name in self.wanted.filters():
            self.mesh.delete(self.wanted.filter_ref(name))

    def _is_wrong(self, what: Sequence[str]) -> None:
        first = not self.outcome.wrong
        self.outcome.wrong += what
        for one in what:
            self.say(f"  WRONG: {one}")
        if first:
            self.mesh.collect(self.settings.artifacts)


def _parts(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Where two objects differ."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from _parts(before.get(key), after.get(key), f"{path}.{key}")
    elif before != after:
        yield f"{path or 'the EnvoyFilter'} was {before!r}, is {after!r} in a fresh installation"
