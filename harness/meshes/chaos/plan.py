"""What happens in a chaos run: rounds of faults and edits, all of it from a seed. Pure: nothing here looks at a mesh.

A round does some harm, edits objects meanwhile, takes the harm back and waits until the mesh is as the edits say. The
same seed gives the same rounds, however long a run lasts: a longer one only has more of them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from harness.mesh import FaultWish, ScaleWish

STEADY: Final = "steady"
"""The AutoWasm under the traffic: it always has some version that is good."""
NAMES: Final = ("amber", "birch", "cedar", "daisy")
"""Those that come, change, break and go."""
VERSIONS: Final = 6
"""How many good versions there are, by number; number ``BAD`` names a module that the check refuses."""
BAD: Final = -1

_PRIORITIES: Final = (-5, 0, 7)
_MOST_EDITS: Final = 4
_LONGEST_PAUSE: Final = 0.8
_LONGEST_DWELL: Final = 5.0
_KILLED: Final = ("wasmer", "autowasm-controller", "kube-apiserver", "etcd", "istiod")
_REPLICATED: Final = ("wasmer", "autowasm-controller")


@dataclass(frozen=True, slots=True)
class Edit:
    """An AutoWasm gets this version and this priority; without a version it goes."""

    name: str
    version: int | None
    priority: int = 0


Kind = Literal["fault", "edit", "scale"]


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that is done, ``pause`` seconds after the one before."""

    pause: float
    what: FaultWish | ScaleWish | Edit

    def __str__(self) -> str:
        match self.what:
            case Edit(name, None):
                return f"delete {name}"
            case Edit(name, version, priority):
                module = "bad module" if version == BAD else f"version {version}"
                return f"apply {name}: {module}, priority {priority}"
            case ScaleWish(workload, replicas):
                return f"scale {workload} to {replicas}"
        return f"{label(self.what)}{f' for {self.what.seconds:g} s' if self.what.seconds else ''}"


def label(wish: FaultWish) -> str:
    """A kind of harm and its aim, as the summary counts it."""
    return " ".join(filter(None, (wish.action, wish.workload, wish.container, wish.to)))


@dataclass(frozen=True, slots=True)
class Round:
    """Moves in their order; the harm that lasts is taken back ``dwell`` seconds after the last of them."""

    number: int
    moves: Sequence[Move]
    dwell: float

    @property
    def faults(self) -> list[FaultWish]:
        """The harm of this round."""
        return [move.what for move in self.moves if isinstance(move.what, FaultWish)]


def rounds(seed: int, *, clock: bool = True) -> Iterator[Round]:
    """Rounds without end; ``clock`` says whether clocks can be made to jump here."""
    chance = random.Random(seed)
    kinds = [kind for kind in _FAULTS if clock or kind is not _clock]
    number = 0
    while True:
        number += 1
        faults = [kind(chance) for kind in chance.sample(kinds, chance.choice((1, 1, 2)))]
        what: list[FaultWish | ScaleWish | Edit] = [*faults]
        what += [_edit(chance) for _ in range(chance.randint(1, _MOST_EDITS))]
        if chance.random() < 0.25:
            what.append(ScaleWish(chance.choice(_REPLICATED), chance.choice((2, 3))))
        chance.shuffle(what)
        moves = [Move(round(chance.uniform(0, _LONGEST_PAUSE), 3), one) for one in what]
        yield Round(number, moves, round(chance.uniform(0, _LONGEST_DWELL), 3))


def _edit(chance: random.Random) -> Edit:
    if chance.random() < 0.4:
        return Edit(STEADY, chance.randrange(VERSIONS))
    name = chance.choice(NAMES)
    version = chance.choice((None, BAD, *range(VERSIONS)))
    return Edit(name, version, chance.choice(_PRIORITIES))


def _kill(chance: random.Random) -> FaultWish:
    return FaultWish("kill", chance.choice(_KILLED))


def _down(chance: random.Random) -> FaultWish:
    return FaultWish("down", chance.choice(("registry", "istiod", "wasmer", "autowasm-controller")))


def _flap(chance: random.Random) -> FaultWish:
    return FaultWish("flap", "registry", seconds=chance.choice((0.3, 0.7, 1.5)))


def _hang(chance: random.Random) -> FaultWish:
    return FaultWish("hang", chance.choice(("wasmer-1", "controller-1", "wasmer", "registry", "istiod")))


def _cut(chance: random.Random) -> FaultWish:
    one, other = chance.choice(
        (
            ("autowasm-controller", "registry"),
            ("autowasm-controller", "kube-apiserver"),
            ("autowasm-controller", "wasmer"),
            ("controller-1", "kube-apiserver"),
            ("wasmer", "autowasm-controller"),
            ("details", "wasmer"),
            ("details", "istiod"),
        )
    )
    return FaultWish("cut", one, to=other)


def _slow(chance: random.Random) -> FaultWish:
    aim = chance.choice(("registry", "kube-apiserver", "wasmer"))
    return FaultWish("slow", aim, seconds=chance.choice((0.05, 0.3)))


def _fill(chance: random.Random) -> FaultWish:
    return FaultWish("fill", chance.choice(("wasmer", "autowasm-controller", "wasmer-1")))


def _damage(chance: random.Random) -> FaultWish:
    """Every stored module whose digest begins so: some of them."""
    return FaultWish("damage", chance.choice(("wasmer", "autowasm-controller")), digest="")


def _compact(chance: random.Random) -> FaultWish:
    del chance
    return FaultWish("compact")


def _clock(chance: random.Random) -> FaultWish:
    return FaultWish("clock", "controller-1", seconds=chance.choice((-86400.0, 3600.0, 86400.0)))


_FAULTS: Final = (_kill, _down, _flap, _hang, _cut, _slow, _fill, _damage, _compact, _clock)
