"""Whom an AutoWasm reaches, as a value: how many pods, and how far its module has come in each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from autowasm.digest import Digest


@dataclass(frozen=True, slots=True)
class Stuck:
    """A pod whose sidecar does not get on: its name (namespace/name where that is another one), and why."""

    pod: str
    why: str


@dataclass(frozen=True, slots=True)
class Audience:
    """What is known of the pods that a selector matches; counts are of pods with a sidecar.

    Attributes:
        pods: running pods with a sidecar.
        fetched: those whose present container was given the version that stands in the mesh.
        loaded: those of whose sidecar there is evidence that it runs it.
        stuck: pods that should have it by now and have not; the first few by name.
        unproven: pods that were given it, and of whose sidecar nobody could learn whether it runs it, and why.
        without_sidecar: matched pods that have no sidecar: no EnvoyFilter reaches them.
        foreign_ports: ports of spec.filter.applyPorts that no container of a matched pod declares.
        digest: the version that all this is about; None where nobody said.
    """

    pods: int
    fetched: int
    loaded: int
    stuck: tuple[Stuck, ...] = ()
    without_sidecar: tuple[str, ...] = ()
    foreign_ports: tuple[int, ...] = ()
    unproven: tuple[Stuck, ...] = ()
    digest: Digest | None = None

    def about(self, digest: Digest) -> Audience:
        """The same as it is of this version: of one that came a moment ago nothing is known of any pod yet."""
        if self.digest in (None, digest):
            return self
        return replace(self, fetched=0, loaded=0, stuck=(), unproven=(), digest=digest)
