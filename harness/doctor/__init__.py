"""What this machine can run, and what it lacks: everything is tried, nothing is guessed.

``examine`` tries all of it in about a second; ``local_refusal`` only whether a local mesh may be made, in
milliseconds, for those who would fall back on another mesh.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from harness.doctor import machine, namespaces, network, programs
from harness.doctor.finding import Availability, Examination, Finding
from harness.toolchain.programs import LOCAL

__all__ = ["Availability", "Examination", "Finding", "conclude", "examine", "local_refusal"]


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of mesh: the findings that must be good, and a word where this version cannot run it yet."""

    needs: tuple[str, ...]
    missing: str = ""


_NOT_YET: Final = "this version of the harness does not run it"
_KINDS: Final = {
    "sim": _Kind(("python", "packages", "wasmtime")),
    "local": _Kind(
        ("python", "packages", "wasmtime", "namespaces", "network", "disk", "memory", "go", *LOCAL),
    ),
    "kind": _Kind(("container engine", "kubectl"), _NOT_YET),
    "existing": _Kind(("kubectl",), _NOT_YET),
}


def local_refusal() -> str | None:
    """Why a local mesh cannot be made here, with the remedy; None where it can."""
    return namespaces.refusal()


def examine() -> Examination:
    """Try everything. Raises Lacking only where there is no place for a cache folder."""
    building = bool(programs.missing())
    tries: Sequence[Callable[[], Finding | list[Finding]]] = (
        machine.python,
        machine.packages,
        machine.wasmtime,
        namespaces.examine,
        network.examine,
        lambda: machine.disk(building),
        lambda: machine.memory(building),
        machine.engine,
        lambda: programs.go(building),
        programs.examine,
    )
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda attempt: attempt(), tries))
    findings = [one for each in found for one in (each if isinstance(each, list) else [each])]
    return Examination(findings, conclude(findings))


def conclude(findings: Sequence[Finding]) -> list[Availability]:
    """Which kinds of mesh can run, given these findings."""
    bad = {finding.what: finding for finding in findings if not finding.ok}
    meshes = []
    for name, kind in _KINDS.items():
        why = [f"{what}: {bad[what].detail}" for what in kind.needs if what in bad]
        why = [*([kind.missing] if kind.missing else []), *why]
        meshes.append(Availability(name, not why, "; ".join(why)))
    return meshes
