"""What a verb is: its arguments, what it does with them on a stage, and what others may know of it.

A verb returns ``Done`` or raises ``Failed``; what the mesh raises passes through it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from harness.scenario import model, values
from harness.verbs.stage import Stage

P = TypeVar("P", bound=values.Strict)


class Failed(Exception):
    """What was expected did not come true; ``why`` is the explanation, a few lines."""

    def __init__(self, why: Sequence[str]) -> None:
        super().__init__("\n".join(why))
        self.why = tuple(why)


@dataclass(frozen=True, slots=True)
class Done:
    """A step that went well; ``value`` is what its ``as`` names, ``detail`` says briefly what was seen."""

    detail: str = ""
    value: Any = None


@dataclass(frozen=True, slots=True)
class Verb(Generic[P]):
    """One row of the table; ``harness.scenario.model.Shape`` says what the later fields are."""

    params: type[P]
    run: Callable[[P, Stage], Done]
    words: Callable[[Mapping[str, Any]], str]
    outputs: frozenset[str] | None = frozenset()
    refers: Mapping[str, str] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()
    reads: Mapping[str, model.Reads] = field(default_factory=dict)
