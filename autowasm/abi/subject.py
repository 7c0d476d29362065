"""What the static rules look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from autowasm.abi import binary
from autowasm.abi.findings import Finding


@dataclass(frozen=True, slots=True)
class Subject:
    """A parsed module, with what the rules share.

    ``envoy`` is the target's version, such as (1, 40); no ``capabilities`` means all of them.
    """

    bytes: bytes
    module: binary.Module
    abi: str | None
    sdk: str | None
    envoy: tuple[int, int]
    capabilities: frozenset[str] = frozenset()

    def allows(self, capability: str | None) -> bool:
        """Whether the module has this capability; None is one that every module has."""
        return capability is None or not self.capabilities or capability in self.capabilities


Rule = Callable[[Subject], Iterator[Finding]]
