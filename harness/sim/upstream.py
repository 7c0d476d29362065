"""Clusters with scripted answers: rules by path and headers. The first that matches answers, else it is 404."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.sim.maps import Pair


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request as a cluster got it. Header names are as on the wire, "host" among them."""

    cluster: str
    method: str
    path: str
    headers: tuple[Pair, ...]
    body: bytes
    trailers: tuple[Pair, ...] = ()

    def value(self, name: str) -> bytes | None:
        """The first value of a header."""
        return next((value for key, value in self.headers if key == name.encode()), None)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; ``body`` in the pieces in which it comes, ``delay`` in milliseconds."""

    status: int = 200
    headers: tuple[Pair, ...] = ()
    body: tuple[bytes, ...] = ()
    trailers: tuple[Pair, ...] = ()
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Rule:
    """An answer, and what it answers."""

    reply: Reply
    path_prefix: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def matches(self, request: Arrived) -> bool:
        """Whether a request is meant."""
        return request.path.startswith(self.path_prefix) and all(
            request.value(name.lower()) == value.encode("latin-1") for name, value in self.headers.items()
        )


Answer = Callable[[Arrived], Reply]
_NOT_FOUND = Reply(404)


def scripted(rules: Sequence[Rule]) -> Answer:
    """A cluster that answers by rules."""

    def answer(request: Arrived) -> Reply:
        return next((rule.reply for rule in rules if rule.matches(request)), _NOT_FOUND)

    return answer


@dataclass(slots=True)
class Clusters:
    """The clusters of a proxy, by name, and what arrived at them in the order of arrival."""

    answers: dict[str, Answer] = field(default_factory=dict)
    slow: frozenset[str] = frozenset()
    """Those that take their time: a client does not wait for calls to them before it goes on sending."""
    arrived: list[Arrived] = field(default_factory=list)

    def ask(self, request: Arrived) -> Reply:
        """Have a request arrive."""
        self.arrived.append(request)
        return self.answers[request.cluster](request)

    def take(self) -> list[Arrived]:
        """What arrived since the last time."""
        arrived, self.arrived = self.arrived, []
        return arrived
