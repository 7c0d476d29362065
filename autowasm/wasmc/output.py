"""Prints what commands return: lines for people, JSON for programs. It decides nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from autowasm.abi import findings
from autowasm.digest import Digest
from autowasm.oci.reference import Reference

_COLOURS: Final = {"error": "red", "warning": "yellow", "info": "cyan"}

option: Final[Callable[[Callable[..., None]], Callable[..., None]]] = click.option(
    "--output",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print the result.",
)


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


def show(value: Pushed | Fetched, form: str) -> None:
    """Print a result."""
    lines = value.lines() if form == "text" else (json.dumps(value.to_json(), indent=2),)
    for line in lines:
        click.echo(line)


def show_report(report: findings.Report, name: str, form: str) -> None:
    """Print a report on standard output."""
    if form == "json":
        click.echo(json.dumps(report.to_json(), indent=2))
        return
    verdict = click.style("ok", fg="green") if report.ok else click.style("refused", fg="red")
    made = f"ABI {report.abi or 'unknown'}, SDK {report.sdk or 'unknown'}, {report.size} bytes"
    _echo(f"{verdict} {name}: {made}, for Envoy {report.envoy}")
    _echo(f"Sha256: {report.sha256.hex}")
    show_findings(report.findings, err=False)


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
