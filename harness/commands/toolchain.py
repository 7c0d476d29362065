"""``harness toolchain``: the programs of a mesh, built or fetched where they are not there yet."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from harness.toolchain import binaries

LACKS = 3
INTERRUPTED = 130
_COLUMNS = ("program", "version", "from", "size", "seconds", "path")


class _Name(click.ParamType[str]):
    """The name of a program."""

    name = "program"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from harness.toolchain import binaries
        from harness.toolchain.lacking import Lacking

        try:
            return binaries.known(str(value)).name
        except Lacking as lacking:
            self.fail(lacking.message, param, ctx)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        from harness.toolchain.programs import TABLE

        return [CompletionItem(name) for name in TABLE if name.startswith(incomplete)]


@click.command()
@click.argument("names", type=_Name(), nargs=-1, metavar="[PROGRAM]...")
@click.option(
    "--mesh",
    type=click.Choice(["local", "kind", "all"]),
    default="local",
    show_default=True,
    help="Whose programs, where none is named.",
)
@click.option("--list", "only_list", is_flag=True, help="Build nothing: say what is there.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(names: Sequence[str], mesh: str, only_list: bool, output: str) -> None:
    """See that the programs of a mesh are there: those of --mesh, or those named. Missing ones are built, once.

    HARNESS_TOOLCHAIN names a folder with programs that are used instead of built ones, by their file names.

    \b
    Examples:
      harness toolchain
      harness toolchain etcd kube-apiserver
      harness toolchain --mesh kind --list
      harness toolchain --list --output json

    Exit codes: 0 done, 2 bad input, 3 something is missing and cannot be had, 130 interrupted.
    """
    from harness.toolchain import programs
    from harness.toolchain.lacking import Lacking

    wanted = names or {"local": programs.LOCAL, "kind": programs.KIND}.get(mesh, tuple(programs.TABLE))
    try:
        rows = _listed(wanted) if only_list else _ensured(wanted)
    except Lacking as lacking:
        click.echo(f"error: {lacking}", err=True)
        sys.exit(LACKS)
    except KeyboardInterrupt:
        click.echo("interrupted: what was finished is kept, nothing else is left", err=True)
        sys.exit(INTERRUPTED)
    click.echo(json.dumps(rows, indent=2)) if output == "json" else _table(rows)


def _ensured(names: Sequence[str]) -> list[dict[str, Any]]:
    from rich.console import Console

    from harness.report import console
    from harness.toolchain import binaries

    report = console.Report(Console(stderr=True, highlight=False))
    try:
        found = binaries.ensure(names, report).programs
    finally:
        report.close()
    return [_row(name, found[name]) for name in names]


def _listed(names: Sequence[str]) -> list[dict[str, Any]]:
    from harness.toolchain import binaries

    return [_row(name, binaries.locate(binaries.known(name))) for name in names]


def _row(name: str, found: binaries.Located | None) -> dict[str, Any]:
    """``seconds`` is what the build took just now, or took last time; null where that is not known."""
    from harness.toolchain import history
    from harness.toolchain.programs import TABLE, WheelProgram

    program = TABLE[name]
    if found is None:
        version = None if isinstance(program, WheelProgram) else program.version
        row = {"program": name, "version": version, "from": "to be built", "seconds": history.seconds(name)}
        return dict.fromkeys(_COLUMNS) | row
    return {
        "program": name,
        "version": found.version,
        "from": found.origin,
        "size": found.path.stat().st_size,
        "seconds": found.seconds if found.origin == "built" else history.seconds(name),
        "path": str(found.path),
    }


def _table(rows: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*_COLUMNS, box=None, pad_edge=False)
    for row in rows:
        size = f"{row['size'] / 1e6:.0f} MB" if row["size"] else ""
        seconds = f"{row['seconds']:.1f}" if row["seconds"] is not None else ""
        table.add_row(row["program"], row["version"], row["from"], size, seconds, row["path"])
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 250  # a pipe has no width; lines are not to be cut or wrapped
    console.print(table, soft_wrap=True)
