"""A scenario as frozen values, and the shape that a verb shows to the loader.

What may be written is pydantic's business (``frame``); these are what the runner walks. Arguments stay
plain data with their bindings, since bindings get values only while a scenario runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from harness.scenario import values

CAPABILITIES: Final = (
    "traffic",
    "kubernetes",
    "envoy",
    "istio",
    "registry",
    "private-registry",
    "load",
    "pods",
    "mtls",
    "outsider",
    "helm",
    "faults",
    "parts",
    "clock",
    "replicas",
)
"""The words of ``requires``; a mesh that lacks one skips the scenario and says so."""

MESH_BINDINGS: Final = ("registry", "private_registry", "registry_user", "registry_password", "namespace")
"""What every scenario may write as ``${name}`` from its beginning."""

Reads = Literal["module", "file"]


class Shape(Protocol):
    """What the loader must know of a verb."""

    @property
    def params(self) -> type[values.Strict]:
        """Its arguments; the docstring is its help."""
        ...

    @property
    def outputs(self) -> frozenset[str] | None:
        """Fields of what ``as`` binds; None where any field may be there, empty where there is none."""
        ...

    @property
    def refers(self) -> Mapping[str, str]:
        """Arguments that name an earlier step by its ``as``, with the verb that the step must have."""
        ...

    @property
    def needs(self) -> frozenset[str]:
        """Capabilities without which the verb cannot work."""
        ...

    @property
    def reads(self) -> Mapping[str, Reads]:
        """Arguments that name something outside the file, which must be there before a run starts."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """One verb with its arguments; ``name`` is the step's ``as``, ``where`` is file:line:col."""

    verb: str
    args: Mapping[str, Any]
    where: str
    title: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One behaviour: a claim, and the steps that prove it. ``requires`` includes what its verbs need."""

    name: str
    claim: str
    file: str
    steps: Sequence[Step]
    requires: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
