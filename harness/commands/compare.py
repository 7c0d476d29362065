"""``harness compare``: do two runs agree on every scenario?"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NoReturn

import click

SAME, DIFFERENT = 0, 1


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--output", type=click.Choice(["text", "json"]), default="text", help="json: one document.")
def command(files: Sequence[Path], output: Literal["text", "json"]) -> NoReturn:
    """Lay the verdicts of runs side by side; each FILE is what `harness run --jsonl FILE` wrote.

    A scenario that one mesh cannot run, for it lacks a capability, is listed with the reason and is no difference.

    \b
    Examples:
      harness run --mesh local --jsonl local.jsonl
      harness run --mesh kind --jsonl kind.jsonl
      harness compare local.jsonl kind.jsonl

    Exit codes: 0 no difference, 1 some scenario ended differently, 2 bad input.
    """
    from harness.report import compare

    try:
        runs = [run for file in files for run in compare.read(_text(file), str(file))]
    except compare.Unreadable as error:
        raise click.UsageError(str(error)) from None
    if len(runs) < 2:
        raise click.UsageError(f"{files[0]}: holds one run, and a comparison needs two")
    rows = compare.rows(runs)
    if output == "json":
        click.echo(json.dumps(compare.as_data(runs, rows), indent=2, ensure_ascii=False))
    else:
        for line in compare.as_text(runs, rows):
            click.echo(line)
    sys.exit(DIFFERENT if compare.counts(rows)["different"] else SAME)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"{file}: must be UTF-8 text, it is not") from None
