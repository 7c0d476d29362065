"""What this machine can run, and what it lacks: everything is tried, nothing is guessed.

``examine`` tries all of it in a few seconds; ``local_refusal`` only whether a local mesh may be made, in
milliseconds, for those who would fall back on another mesh.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from harness.doctor import cluster, machine, namespaces, network, programs
from harness.doctor.finding import Availability, Examination, Finding
from harness.toolchain.programs import KIND, LOCAL, RELEASED_KIND

__all__ = ["Availability", "Examination", "Finding", "conclude", "examine", "local_refusal"]


_BASE: Final = ("python", "packages", "wasmtime")
# Each kind of mesh, and the findings that must be good for it.
_KINDS: Final = {
    "sim": _BASE,
    "local": (*_BASE, "namespaces", "network", "disk", "memory", "go", *LOCAL),
    "kind": (
        *(*_BASE, "kind packages", "container engine", "images", "kind disk", "kind memory", "go"),
        *RELEASED_KIND,
    ),
    "existing": (*_BASE, "kubectl", "helm"),
}
_PROGRAMS: Final = tuple(dict.fromkeys((*LOCAL, *KIND)))


def local_refusal() -> str | None:
    """Why a local mesh cannot be made here, with the remedy; None where it can."""
    return namespaces.refusal()


def examine() -> Examination:
    """Try everything. Raises Lacking only where there is no place for a cache folder."""
    building, ever = bool(programs.missing()), bool(programs.missing(_PROGRAMS))
    tries: Sequence[Callable[[], Finding | list[Finding]]] = (
        machine.python,
        machine.packages,
        machine.wasmtime,
        namespaces.examine,
        network.examine,
        lambda: machine.disk(building),
        lambda: machine.memory(building),
        cluster.packages,
        cluster.engine,
        cluster.images,
        cluster.room,
        lambda: programs.go(ever),
        lambda: programs.examine(_PROGRAMS),
    )
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda attempt: attempt(), tries))
    findings = [one for each in found for one in (each if isinstance(each, list) else [each])]
    return Examination(findings, conclude(findings))


def conclude(findings: Sequence[Finding]) -> list[Availability]:
    """Which kinds of mesh can run, given these findings."""
    bad = {finding.what: finding for finding in findings if not finding.ok}
    meshes = []
    for name, needs in _KINDS.items():
        why = [f"{what}: {bad[what].detail}" for what in needs if what in bad]
        meshes.append(Availability(name, not why, "; ".join(why)))
    return meshes
