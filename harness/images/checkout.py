"""This checkout as the context of a build: which files go into an image, and the hash that names it."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Final

from harness.images import closure
from harness.images.layer import Layer
from harness.toolchain.lacking import Lacking

ROOT: Final = Path(__file__).parents[2]
CONTAINERFILE: Final = "autowasm/Containerfile"
_SYSTEM: Final = (CONTAINERFILE, "pyproject.toml", "autowasm")
# The programs of the apps' image. What they import goes with them and no more: a change elsewhere in the harness is
# no reason to give every node another image.
_APPS: Final = ("harness.services.apps.client", "harness.services.apps.details")
_UNSEEN: Final = ("README.md", "LICENSE")  # the build backend wants them; nothing that runs depends on them
_SKIPPED: Final = ("__pycache__",)


def dependencies() -> list[str]:
    """What the system depends on, as pyproject.toml says. Raises Lacking outside of a checkout."""
    file = ROOT / "pyproject.toml"
    if not file.is_file() or not (ROOT / CONTAINERFILE).is_file():
        raise Lacking(
            f"images: the system's image is made of a checkout: {ROOT} is none",
            remedy="run the harness from a checkout of the project (pip install -e '.[harness,kind]')",
        )
    project = tomllib.loads(file.read_text())["project"]
    return [str(each) for each in project["dependencies"]]


def tags(base: str) -> tuple[str, str]:
    """The tags of the system's image and of the apps', each a hash of what it is made of, the base image's name too."""
    system = hashlib.sha256(f"{base}\0".encode())
    _feed(system.update, _SYSTEM)
    apps = system.copy()
    _feed(apps.update, _apps())
    return system.hexdigest()[:12], apps.hexdigest()[:12]


def _apps() -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in closure.needed(ROOT, _APPS)]


def _feed(update: Callable[[bytes], None], names: Iterable[str]) -> None:
    for name, path in _files(names):
        update(f"{name}\0{path.stat().st_mode & 0o100}\0".encode())
        update(hashlib.sha256(path.read_bytes()).digest())


def _files(names: Iterable[str]) -> Iterator[tuple[str, Path]]:
    for name in names:
        top = ROOT / name
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and not any(part in _SKIPPED for part in path.parts):
                yield path.relative_to(ROOT).as_posix(), path


def context(wheels: Path, file: Path) -> IO[bytes]:
    """The context as an open tar file at ``file``: the sources, the wheels, and the Containerfile at the top."""
    layer = Layer(file)
    layer.file("Containerfile", ROOT / CONTAINERFILE, 0o644)
    for name, path in _files((*_SYSTEM, *_apps(), *_UNSEEN)):
        layer.file(name, path, 0o755 if path.stat().st_mode & 0o100 else 0o644)
    for wheel in sorted(wheels.glob("*.whl")):
        layer.file(f"wheels/{wheel.name}", wheel, 0o644)
    return layer.finish().path.open("rb")
