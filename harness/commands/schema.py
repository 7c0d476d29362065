"""``harness schema``: the JSON Schema of scenario files, for editors."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--check", is_flag=True, help="Write nothing; exit 1 where the file is not what would be written."
)
def command(file: Path | None, check: bool) -> None:
    """Write the JSON Schema of scenario files (to scenarios/scenario.schema.json, or to FILE; - is stdout).

    \b
    Examples:
      harness schema
      harness schema --check
      harness schema -
    """
    from harness import verbs
    from harness.commands import finding
    from harness.report import whole
    from harness.scenario import frame

    text = json.dumps(frame.schema(verbs.TABLE), indent=2, ensure_ascii=False) + "\n"
    if file == Path("-"):
        click.echo(text, nl=False)
        return
    target = file or finding.folder() / frame.SCHEMA_NAME
    if check:
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            raise click.ClickException(f"{target}: must be what `harness schema` writes, it is not")
        return
    whole.write(target, text.encode())
    click.echo(f"wrote {target}")
