"""What verbs act on: the mesh, the results of earlier steps, and what has to be undone in the end.

One stage lives as long as one scenario. It is the only thing of a run that changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness import converge
from harness.mesh import Mesh, ObjectRef


class Sources(Protocol):
    """Where a scenario's files and modules come from; relative names are relative to the scenario's file."""

    def module(self, name: str, scenario: str) -> bytes:
        """The bytes of a sample by its name, or of a .wasm or .wat file. Raises ValueError in words."""
        ...

    def file(self, name: str, scenario: str) -> bytes:
        """The bytes of a file. Raises ValueError in words."""
        ...


@dataclass(frozen=True, slots=True)
class CleanUp:
    """Something to undo, and what it is, for the report."""

    what: str
    undo: Callable[[], object]


@dataclass(slots=True)
class Stage:
    """``patience`` stretches every time limit; ``owned`` are the objects that this scenario made.

    ``release`` is the revision that the wasmer chart's release had before this scenario changed it.
    """

    mesh: Mesh
    sources: Sources
    scenario: str
    clock: converge.Clock = converge.REAL
    patience: float = 1.0
    results: dict[str, Any] = field(default_factory=dict)
    owned: set[ObjectRef] = field(default_factory=set)
    release: int | None = None
    clean_ups: list[CleanUp] = field(default_factory=list)

    @property
    def bindings(self) -> Mapping[str, Any]:
        """What ``${name}`` may be: the mesh's own, then the results of earlier steps."""
        return {**self.mesh.bindings, **self.results}

    def later(self, what: str, undo: Callable[[], object]) -> None:
        """Have something undone when the scenario is over, the last first."""
        self.clean_ups.append(CleanUp(what, undo))
