"""The programs of a mesh, whatever their origin: those the user points to, built ones, those of wheels.

A warm ``ensure`` looks at one file a program: no lock, nothing is hashed but the pins, and no process but for the
version of a helm of the user's.
"""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from harness import events
from harness.toolchain import build, nested, sources, wheels
from harness.toolchain.lacking import Lacking
from harness.toolchain.programs import ISTIO_FILES, TABLE, GoProgram, NestedProgram, Program, WheelProgram

Origin = Literal["prebuilt", "cached", "built", "wheel", "path"]
PREBUILT: Final = "HARNESS_TOOLCHAIN"


@dataclass(frozen=True, slots=True)
class Located:
    """A program that is there. ``seconds`` is how long its build took just now, None where there was none.

    ``told`` is the version that a program of the user's PATH says it has.
    """

    name: str
    path: Path
    origin: Origin
    seconds: float | None = None
    told: str = ""

    @property
    def version(self) -> str:
        """A word that changes when the program does: its version, or a mark of a prebuilt file."""
        program = TABLE[self.name]
        if self.origin == "prebuilt":
            status = self.path.stat()
            mark = hashlib.sha256(f"{self.path} {status.st_size} {status.st_mtime_ns}".encode()).hexdigest()
            return f"prebuilt-{mark[:8]}"
        if self.origin == "path":
            return self.told
        return wheels.version(program) if isinstance(program, WheelProgram) else program.version


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The programs that were asked for, by name, each seen to be there."""

    programs: Mapping[str, Located]
    emit: events.Emit

    def path(self, name: str) -> Path:
        """Where a program is. KeyError for one that was not asked for."""
        return self.programs[name].path

    def version(self, name: str) -> str:
        """A word that changes when the program does, e.g. 1.36.4 or prebuilt-5f3c11aa."""
        return self.programs[name].version

    def istio_source(self, relpath: str) -> Path:
        """A file of the pinned Istio module, by its path in there (see ISTIO_FILES). Raises Lacking."""
        return istio_source(relpath, self.emit)

    def istio_folder(self, relpath: str) -> Path:
        """A folder of the pinned Istio module, by its path in there (see ISTIO_CHARTS). Raises Lacking."""
        return istio_folder(relpath, self.emit)


def istio_source(relpath: str, emit: events.Emit) -> Path:
    """A file of the Istio module: prebuilt folder's ``istio/<relpath>``, or the cache's. Raises Lacking."""
    given = prebuilt_folder()
    if given and (given / "istio" / relpath).is_file():
        return given / "istio" / relpath
    return sources.ensure(relpath, emit)


def istio_folder(relpath: str, emit: events.Emit) -> Path:
    """A folder of the Istio module: prebuilt folder's ``istio/<relpath>``, or the cache's. Raises Lacking."""
    given = prebuilt_folder()
    if given and (given / "istio" / relpath).is_dir():
        return given / "istio" / relpath
    return sources.ensure_folder(relpath, emit)


def ensure(names: Sequence[str], emit: events.Emit) -> Toolchain:
    """The programs by name, built or fetched where they are not there yet. Raises Lacking.

    Asking for istiod also keeps the files of its module that a mesh needs, so that a later run needs no `go`.
    """
    wanted = [known(name) for name in names]
    prebuilt_folder()  # a wrong one is said before anything is built
    wanted.sort(key=list(TABLE.values()).index)  # the order of the table is the quickest to build in
    found = {program.name: _ensure(program, emit) for program in wanted}
    if "istiod" in found:
        for relpath in ISTIO_FILES:
            istio_source(relpath, emit)
    return Toolchain(found, emit)


def known(name: str) -> Program:
    """The row of a program. Raises Lacking with the name that was probably meant."""
    if name in TABLE:
        return TABLE[name]
    near = difflib.get_close_matches(name, TABLE, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise Lacking(f"toolchain: {name!r} is no program{hint}: there are {', '.join(TABLE)}")


def locate(program: Program) -> Located | None:
    """The program where it is there already. Raises Lacking for one that a build would not bring."""
    given = prebuilt_folder()
    if given and (given / program.name).exists():
        return Located(program.name, _executable(given / program.name), "prebuilt")
    if isinstance(program, WheelProgram):
        return Located(program.name, wheels.path(program), "wheel")
    if isinstance(program, NestedProgram) and (own := nested.users_own(program)):
        return Located(program.name, own[0], "path", told=own[1])
    kept = place(program)
    return Located(program.name, kept, "cached") if kept.is_file() else None


def place(program: GoProgram | NestedProgram) -> Path:
    """Where a built or unpacked program is, or will be."""
    return build.place(program) if isinstance(program, GoProgram) else nested.place(program)


def identity(name: str) -> str:
    """A word that changes when what would be run does; nothing is built or started for it. Raises Lacking."""
    program = known(name)
    given = prebuilt_folder()
    if given and (given / name).exists():
        return Located(name, _executable(given / name), "prebuilt").version
    if isinstance(program, GoProgram):
        return build.key(program)
    return wheels.version(program) if isinstance(program, WheelProgram) else program.release


def _ensure(program: Program, emit: events.Emit) -> Located:
    if found := locate(program):
        return found
    assert not isinstance(program, WheelProgram)  # locate finds those of wheels, or raises
    seconds = build.ensure(program, emit) if isinstance(program, GoProgram) else nested.ensure(program, emit)
    return Located(program.name, place(program), "built" if seconds is not None else "cached", seconds)


def prebuilt_folder() -> Path | None:
    """The folder that HARNESS_TOOLCHAIN names, or None. Raises Lacking where there is no such folder."""
    named = os.environ.get(PREBUILT, "")
    if not named:
        return None
    folder = Path(named).expanduser().absolute()
    if not folder.is_dir():
        raise Lacking(
            f"toolchain: {PREBUILT} must name a folder: {named} is none",
            remedy=f"unset {PREBUILT}, or let it name a folder with {', '.join(TABLE)}",
        )
    return folder


def _executable(path: Path) -> Path:
    if not path.is_file() or not os.access(path, os.X_OK):
        raise Lacking(f"toolchain: {path} must be an executable file: it is not", remedy=f"chmod +x {path}")
    return path
