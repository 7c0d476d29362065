"""Prints what a check found: lines for people, JSON and SARIF for programs. It decides nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Final

import click

from autowasm.abi import findings
from autowasm.wasmc import output, sarif, version

_COLOURS: Final = {"error": "red", "warning": "yellow", "info": "cyan"}

option: Final = output.choice("text", "json", "sarif")


def show(report: findings.Report, name: str, form: str) -> None:
    """Print a report on standard output."""
    if form != "text":
        shape = report.to_json(name) if form == "json" else sarif.render(report, name, version.version())
        click.echo(json.dumps(shape, indent=2))
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
