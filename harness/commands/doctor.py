"""``harness doctor``: what each kind of mesh needs here, and what is missing."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness import doctor

LACKS = 3


@click.command()
@click.option(
    "--mesh",
    type=click.Choice(["local", "sim", "kind", "existing"]),
    default="local",
    show_default=True,
    help="Whose lacks decide the exit code.",
)
@click.option(
    "--install",
    is_flag=True,
    help="With --mesh kind: install what is missing (apt-get, as root), and start an engine where none answers.",
)
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(mesh: str, install: bool, output: str) -> None:
    """Try what the meshes need: Python, Go, programs, namespaces, network, disk, memory, a container engine.

    Changes nothing without --install. What it makes to try, it makes in namespaces that go at once.

    \b
    Examples:
      harness doctor
      harness doctor --mesh kind
      harness doctor --mesh kind --install
      harness doctor --output json | jq .meshes

    Exit codes: 0 the mesh can run, 3 it cannot.
    """
    from harness import doctor
    from harness.toolchain.lacking import Lacking

    if install and mesh != "kind":
        raise click.UsageError(f"--install: goes with --mesh kind, found --mesh {mesh}")
    try:
        if install:
            _install()
        examination = doctor.examine()
    except Lacking as lacking:
        click.echo(f"error: {lacking}", err=True)
        sys.exit(LACKS)
    if output == "json":
        click.echo(json.dumps(examination.to_json(), indent=2))
    else:
        _text(examination)
    sys.exit(0 if examination.available(mesh) else LACKS)


def _install() -> None:
    """Install what is missing, and see an engine answer; one of our own ends at once. Raises Lacking."""
    from rich.console import Console

    from harness.report import console
    from harness.services import engine

    report = console.Report(Console(stderr=True, highlight=False))
    try:
        with engine.using(report, install=True):
            pass
    finally:
        report.close()


def _text(examination: doctor.Examination) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)

    def line(ok: bool, name: str, detail: str) -> None:
        sign, style = ("✓", "green") if ok else ("✗", "bold red")
        console.print(Text.assemble((f"{sign} ", style), (f"{name:<25}", "bold"), detail), soft_wrap=True)

    for finding in examination.findings:
        line(finding.ok, finding.what, finding.detail)
        if finding.remedy and not finding.ok:
            console.print(Text(f"    -> {finding.remedy}"), soft_wrap=True)
    console.print(Text("\nmeshes", style="bold"))
    for kind in examination.meshes:
        line(kind.ok, kind.mesh, kind.why or "can run here")
