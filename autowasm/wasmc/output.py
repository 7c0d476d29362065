"""Prints what commands return: lines for people, JSON for programs. It decides nothing."""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import click

from autowasm.abi import findings
from autowasm.digest import Digest
from autowasm.oci.reference import Reference
from autowasm.wasmc import sarif

_COLOURS: Final = {"error": "red", "warning": "yellow", "info": "cyan"}


def _option(*forms: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(
        "--output",
        "form",
        type=click.Choice(forms),
        default="text",
        show_default=True,
        help="How to print the result.",
    )


option: Final = _option("text", "json")
option_of_report: Final = _option("text", "json", "sarif")


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


def show_report(report: findings.Report, name: str, form: str) -> None:
    """Print a report on standard output."""
    if form != "text":
        shape = report.to_json(name) if form == "json" else sarif.render(report, name, _version())
        click.echo(json.dumps(shape, indent=2))
        return
    verdict = click.style("ok", fg="green") if report.ok else click.style("refused", fg="red")
    made = f"ABI {report.abi or 'unknown'}, SDK {report.sdk or 'unknown'}, {report.size} bytes"
    _echo(f"{verdict} {name}: {made}, for Envoy {report.envoy}")
    _echo(f"Sha256: {report.sha256.hex}")
    show_findings(report.findings, err=False)


def _version() -> str:
    try:
        return importlib.metadata.version("autowasm")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout
        return "0"


def show_findings(found: Iterable[findings.Finding], *, err: bool) -> None:
    """Print findings in their order, which is worst first."""
    for finding in found:
        level = click.style(finding.level, fg=_COLOURS[finding.level])
        where = f" ({finding.where})" if finding.where else ""
        _echo(f"{level} {finding.rule}: {finding.message}{where}", err=err)
        if finding.envoy_says:
            _echo(f"  Envoy says: {finding.envoy_says}", err=err)
        if finding.remedy:
            _echo(f"  hint: {finding.remedy}", err=err)


def _echo(text: str, *, err: bool = False) -> None:
    # click leaves colours out where there is no terminal; NO_COLOR (no-color.org) is ours to honour.
    click.echo(text, err=err, color=False if os.environ.get("NO_COLOR") else None)
