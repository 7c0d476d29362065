"""Prints what commands return: lines for people, JSON for programs. It decides nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import click

from autowasm.digest import Digest
from autowasm.oci.reference import Reference


def choice(*forms: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option that says how to print the result; a command receives ``form``."""
    return click.option(
        "--output",
        "form",
        type=click.Choice(forms),
        default="text",
        show_default=True,
        help="How to print the result.",
    )


option: Final = choice("text", "json")


@dataclass(frozen=True, slots=True)
class Pushed:
    """A module was stored: ``digest`` is the manifest's, ``sha256`` the module's, ``size`` its bytes."""

    reference: Reference
    digest: Digest
    sha256: Digest
    size: int

    def to_json(self) -> dict[str, Any]:
        """As programs read it; the shape is stable."""
        return {
            "reference": str(self.reference),
            "digest": str(self.digest),
            "sha256": self.sha256.hex,
            "size": self.size,
        }

    def lines(self) -> tuple[str, ...]:
        """As people read it."""
        return f"Pushed {self.reference}", f"Digest: {self.digest}"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A module was fetched to ``location``, an absolute path; ``layout`` is how the registry had it."""

    reference: Reference
    digest: Digest
    sha256: Digest
    size: int
    layout: str
    location: Path

    def to_json(self) -> dict[str, Any]:
        """As programs read it; the shape is stable."""
        return {
            "reference": str(self.reference),
            "digest": str(self.digest),
            "sha256": self.sha256.hex,
            "size": self.size,
            "layout": self.layout,
            "location": str(self.location),
        }

    def lines(self) -> tuple[str, ...]:
        """As people read it."""
        return f"Pulled {self.reference}", f"Sha256: {self.sha256.hex}", f"Location: {self.location}"


class Result(Protocol):
    """What a command found out or did."""

    def to_json(self) -> dict[str, Any]:
        """As programs read it; the shape is stable."""
        ...

    def lines(self) -> Iterable[str]:
        """As people read it."""
        ...


def show(value: Result, form: str) -> None:
    """Print a result."""
    lines = value.lines() if form == "text" else (json.dumps(value.to_json(), indent=2),)
    for line in lines:
        click.echo(line)
