"""What a kind mesh needs beyond programs: packages of its extra, a container engine, images, room."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.doctor import machine
from harness.doctor.finding import Finding
from harness.services import engine as engines
from harness.services.engine import extra
from harness.toolchain import cache
from harness.toolchain.lacking import Lacking

if TYPE_CHECKING:
    from harness.services.engine import Engine

_NOT_TRIED: Final = "not tried: packages of the extra kind are missing"
# One cluster with the mesh takes 1.6 GB on the engine's disk and 1 GB of memory; images that are made, 1.5 GB more.
_DISK: Final = 3 * machine.GIB
_MEMORY: Final = 3 * machine.GIB
_ENGINE, _IMAGES = "container engine", "images"


def packages() -> Finding:
    """Are the packages of the extra there?"""
    missing = extra.missing()
    if missing:
        return Finding("kind packages", False, f"missing: {', '.join(missing)}", extra.INSTALL)
    return Finding("kind packages", True, ", ".join(extra.MODULES))


def engine() -> Finding:
    """Does an engine answer, or can one of our own be started here?"""
    if extra.missing():
        return Finding(_ENGINE, False, _NOT_TRIED, extra.INSTALL)
    try:
        words, lacking = engines.refusal()
    except Lacking as refused:
        words, lacking = "", refused
    if lacking:
        return Finding(_ENGINE, False, lacking.message.removeprefix(f"{_ENGINE}: "), lacking.remedy)
    return Finding(_ENGINE, True, words)


def images() -> Finding:
    """Are a cluster's images there, does an image registry answer, or can they be made here?"""
    if extra.missing():
        return Finding(_IMAGES, False, _NOT_TRIED, extra.INSTALL)
    answering = engines.answering()
    if answering is None:
        return _makeable("no engine runs yet that could ask an image registry")
    try:
        return _with(answering)
    except Lacking as lacking:
        return Finding(_IMAGES, False, lacking.message, lacking.remedy)
    finally:
        answering.client.close()


def _with(answering: Engine) -> Finding:
    from harness.images import making, released, store  # noqa: PLC0415 - where the extra is missing, they cannot load

    there = store.Store(answering)
    if not there.missing(making.names().wanted()):
        return Finding(_IMAGES, True, "made here, and all there")
    said = there.registry_answers(released.REGISTRY)
    if said:
        return _makeable(f"no image registry answers ({said.splitlines()[0][:120]})")
    return Finding(_IMAGES, True, "an image registry answers: released ones are used")


def _makeable(why: str) -> Finding:
    from harness.images import debian  # noqa: PLC0415 - as above

    lacking = debian.refusal()
    if lacking:
        return Finding(_IMAGES, False, f"{why}; {lacking.message.removeprefix('images: ')}", lacking.remedy)
    return Finding(_IMAGES, True, f"{why}; they are made here where none does: some minutes, once")


def room() -> list[Finding]:
    """Is there room for a cluster, on the disk and in memory?"""
    folder = next(place for place in (Path("/var/lib/docker"), *_upwards(cache.root())) if place.exists())
    free = shutil.disk_usage(folder).free
    memory = machine.free_memory()
    return [
        Finding(
            "kind disk",
            free >= _DISK,
            f"{free / machine.GIB:.1f} GiB free at {folder}, {_DISK // machine.GIB} needed",
            "free some space",
        ),
        Finding(
            "kind memory",
            memory >= _MEMORY,
            f"{memory / machine.GIB:.1f} GiB available, {_MEMORY // machine.GIB} needed",
            "end other programs, or give this machine or container more",
        ),
    ]


def _upwards(path: Path) -> list[Path]:
    return [path, *path.parents]
