"""Finds scenario files, reads them, and finds what they name: samples and files beside them.

This is where scenarios meet the disk; every fault of theirs becomes a line with its position.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from harness import verbs
from harness.scenario import load, model
from harness.scenario.faults import BadFile

FOLDER: Final = "scenarios"
SAMPLES: Final = "wasm_samples"
_MODULE_SUFFIXES: Final = (".wasm", ".wat", ".hex")


def files(paths: Sequence[Path]) -> list[Path]:
    """The scenario files that are meant: those named, those in folders named, else those of ``scenarios``.

    Raises:
        click.UsageError: a path is not there, or there is no scenario.
    """
    found: list[Path] = []
    for path in paths or [folder()]:
        if path.is_dir():
            found += sorted(path.rglob("*.yaml"))
        elif path.is_file():
            found.append(path)
        else:
            raise click.UsageError(f"{path}: must be a scenario file or a folder, there is none")
    if not found:
        raise click.UsageError(
            f"{', '.join(map(str, paths or [folder()]))}: no scenario files (*.yaml) in it"
        )
    return list(dict.fromkeys(found))


def folder() -> Path:
    """The nearest ``scenarios`` folder: here or above; relative to here where that reads well."""
    here = Path.cwd()
    for above in (here, *here.parents):
        if (above / FOLDER).is_dir():
            return Path(FOLDER) if above == here else above / FOLDER
    raise click.UsageError(
        f"{FOLDER}: must be a folder here or above {here}, there is none; name files or folders"
    )


def read(paths: Sequence[Path]) -> tuple[list[model.Scenario], list[str]]:
    """All scenarios of these files, and all faults of all of them."""
    loader = load.Loader(verbs.TABLE)
    found: list[model.Scenario] = []
    faults: list[str] = []
    for path in paths:
        try:
            found.append(loader.load(path.read_bytes(), str(path)))
        except BadFile as bad:
            faults += map(str, bad.faults)
        except OSError as error:
            faults.append(f"{path}:1:1: cannot be read: {error.strerror}")
    return found, faults + _doubles(found)


def _doubles(scenarios: Sequence[model.Scenario]) -> list[str]:
    first: dict[str, str] = {}
    doubles = []
    for scenario in scenarios:
        other = first.setdefault(scenario.name, scenario.file)
        if other != scenario.file:
            doubles.append(f'{scenario.file}:1:1: name: "{scenario.name}" is the name of {other} already')
    return doubles


class Sources:
    """``harness.verbs.stage.Sources`` on the disk: samples stand in ``wasm_samples`` beside ``scenarios``."""

    def module(self, name: str, scenario: str) -> bytes:
        """The bytes of a module by a sample's name or a file's. Raises ValueError."""
        from harness import samples  # brings the assembler, which most commands do not need

        if not name.endswith(_MODULE_SUFFIXES):
            return samples.Samples(_samples_folder(scenario)).module(name)
        file = Path(scenario).parent / name
        try:
            return samples.read(file)
        except OSError as error:
            raise ValueError(f"{file} cannot be read: {error.strerror}") from None

    def file(self, name: str, scenario: str) -> bytes:
        """The bytes of a file beside the scenario. Raises ValueError."""
        file = Path(scenario).parent / name
        try:
            return file.read_bytes()
        except OSError as error:
            raise ValueError(f"{file} cannot be read: {error.strerror}") from None


def _samples_folder(scenario: str) -> Path:
    parents = Path(scenario).resolve().parents
    for above in parents:
        if (above / SAMPLES).is_dir():
            return above / SAMPLES
    raise ValueError(f"there is no folder {SAMPLES} above {scenario}: name a .wasm file beside the scenario")
