"""The wheels that the system's image installs, collected outside of it: a build needs no network and no certificates.

They are kept by what was asked for: the same dependencies, Python and machine give the same wheels again.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from harness.images.work import Work
from harness.toolchain import cache, commands, pypi
from harness.toolchain.lacking import Lacking

_SECONDS: Final = 900.0
_PIP: Final = ("pip", "25.3")
# What the build itself runs: pip out of its own wheel, and the project's build backend.
TOOLS: Final = ("pip", "hatchling>=1.27")
# The oldest C library that a wheel may ask for, and the one that the oldest of our bases has (Debian 12).
_OLDEST, _NEWEST = 17, 36


def key(dependencies: Sequence[str]) -> str:
    """What the wheels depend on but for the Python, as a word."""
    said = "\0".join((platform.machine(), *sorted(dependencies), *TOOLS))
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def ensure(python: str, dependencies: Sequence[str], work: Work) -> Path:
    """A folder with the wheels for a Python (e.g. 3.11), fetched where it is not there yet. Raises Lacking."""
    folder = cache.root() / "images" / f"wheels-{python}-{key(dependencies)}"
    if folder.is_dir():
        return folder
    with cache.locked(folder, what="fetches wheels"):
        if not folder.is_dir():
            with work.phase("fetch wheels", f"for Python {python} from PyPI"):
                _fetch(python, dependencies, folder)
    return folder


def _fetch(python: str, dependencies: Sequence[str], folder: Path) -> None:
    pip = _pip()
    with cache.scratch(folder) as scratch:
        wanted = ["--dest", str(scratch / "wheels"), "--only-binary", ":all:", *_platform(python)]
        commands.run(
            commands.Command(
                what=f"wheels: those for Python {python} from PyPI",
                argv=[sys.executable, str(pip), "download", *wanted, *dependencies, *TOOLS],
                cwd=scratch,
                log=folder.with_name("wheels.log"),
                scratch=scratch,
                env=os.environ | pypi.ENVIRONMENT,
                timeout=_SECONDS,
            )
        )
        os.sync()
        with cache.writing():
            (scratch / "wheels").rename(folder)


def _pip() -> Path:
    """A pip of our own: the user's may be old, and uv's environments have none."""
    home = cache.root() / "images" / "-".join(_PIP)
    with cache.locked(home, what="installs pip"):
        if not home.is_dir():
            none = Lacking(
                "images: wheels are fetched by pip: this Python can install none", remedy="install pip, or uv"
            )
            pypi.install("==".join(_PIP), home, lacking=none)
    return home / "pip"


def _platform(python: str) -> Iterator[str]:
    yield from ("--implementation", "cp", "--python-version", python, "--abi", f"cp{python.replace('.', '')}")
    yield from ("--abi", "abi3", "--abi", "none")
    machine = platform.machine()
    for minor in range(_NEWEST, _OLDEST - 1, -1):
        yield from ("--platform", f"manylinux_2_{minor}_{machine}")
    yield from ("--platform", f"manylinux2014_{machine}")
