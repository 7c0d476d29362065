"""Installs a wheel from PyPI, or the mirror that is configured, into a folder of the cache; never anywhere else."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from harness.toolchain import cache, commands
from harness.toolchain.lacking import Lacking

_INSTALL_SECONDS: Final = 900.0
# pip must neither ask nor follow a user's wish for --user, which excludes --target.
ENVIRONMENT: Final = {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


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


def install(requirement: str, home: Path, *, lacking: Lacking) -> None:
    """Install one wheel, without its dependencies, as the folder ``home``: whole or not at all.

    Only for who holds the lock of ``home``. Raises ``lacking`` where this Python can install nothing, else Lacking
    with what the installer said.
    """
    with cache.scratch(home) as scratch:
        way = next(installers(scratch), None)
        if way is None:
            raise lacking
        wanted = ["--target", str(scratch / "tree"), "--no-deps", "--only-binary", ":all:", requirement]
        commands.run(
            commands.Command(
                what=f"{requirement.replace('==', ' ')} from PyPI",
                argv=[*way, *wanted],
                cwd=scratch,
                log=home.with_name(f"{home.name}.install.log"),
                scratch=scratch,
                env=os.environ | ENVIRONMENT,
                timeout=_INSTALL_SECONDS,
            )
        )
        os.sync()  # thousands of small files: one sync is cheaper than as many
        with cache.writing():
            shutil.rmtree(home, ignore_errors=True)
            (scratch / "tree").rename(home)
