"""What packages bring an engine here, and their installation where that is allowed: Debian's and Ubuntu's."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harness import events
from harness.toolchain import cache
from harness.toolchain.lacking import Lacking

_INSTALL: Final = ("apt-get", "install", "--yes", "--no-install-recommends")
_SECONDS: Final = 900.0
_TAIL: Final = 12
ELSEWHERE: Final = "install Docker Engine and start it: https://docs.docker.com/engine/install"


def possible() -> bool:
    """Whether this user can install packages here."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def line(packages: Sequence[str]) -> str:
    """The line to type that installs packages."""
    if not shutil.which("apt-get"):
        return ELSEWHERE
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get update && {sudo}{' '.join((*_INSTALL, *packages))}"


def wanted() -> list[str]:
    """The packages that are missing for an engine of our own: the daemon, and the command that kind calls."""
    missing = [] if shutil.which("dockerd") else ["docker.io"]
    if shutil.which("docker"):
        return missing
    if _known("docker-cli"):  # newer releases have the command in a package of its own
        return [*missing, "docker-cli"]
    return missing or ["docker.io"]


def beside() -> list[str]:
    """What is missing where images have to be made too, because no image registry can be reached."""
    return [] if shutil.which("debootstrap") else ["debootstrap"]


def _known(package: str) -> bool:
    try:
        done = subprocess.run(["apt-cache", "show", package], capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def install(packages: Sequence[str], emit: events.Emit) -> None:
    """Install packages as root, and tell which came. Raises Lacking with the last lines of what apt-get said."""
    log = cache.folder(cache.root() / "engine") / "apt-get.log"
    log.unlink(missing_ok=True)
    _run(["apt-get", "update"], log)
    _run([*_INSTALL, *packages], log)
    emit(events.Notice(f"Installed with apt-get: {', '.join(_versions(packages))}"))


def _run(command: Sequence[str], log: Path) -> None:
    """Run to the end; Ctrl-C at the terminal does not reach it, since packages are not left half-configured."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )
        try:
            code = process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            raise _failure(command, f"no end within {_SECONDS:.0f} s", log) from None
        finally:
            process.terminate()  # one that has ended is not signalled
            process.wait()
    if code != 0:
        raise _failure(command, f"exit code {code}", log)


def _failure(command: Sequence[str], found: str, log: Path) -> Lacking:
    lines = log.read_text(errors="replace").splitlines()[-_TAIL:]
    told = "".join(f"\n    {one}" for one in lines)
    return Lacking(
        f"{' '.join(command)}: must succeed: {found}{told}", remedy=f"read {log}, and try it by hand"
    )


def _versions(packages: Sequence[str]) -> list[str]:
    done = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Package} ${Version}\n", *packages],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.splitlines() or list(packages)
