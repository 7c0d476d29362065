"""``harness down``: what kind meshes and engines of ours are still there is removed."""

from __future__ import annotations

import contextlib
import sys
from typing import NoReturn

import click

DONE, BAD_INPUT, MACHINE, INTERRUPTED = 0, 2, 3, 130


@click.command()
@click.option("--name", default="", help="Only this mesh.")
@click.option("--all", "everything", is_flag=True, help="Also meshes in use, and those whose record is lost.")
def command(name: str, everything: bool) -> NoReturn:
    """Take down kept kind meshes, and what killed runs left: clusters, registries, volumes, networks, our own engine.

    Images and programs stay: the next mesh is made of them. A container engine that is yours stays as it is.

    \b
    Examples:
      harness down
      harness down --name autowasm-1f3a90c2
      harness down --all

    Exit codes: 0 nothing of ours is left, 2 no such mesh, 3 something could not be removed, 130 interrupted.
    """
    from harness.mesh import Broken

    try:
        sys.exit(_down(name, everything))
    except Broken as broken:
        click.echo(f"error: {broken}", err=True)
        sys.exit(MACHINE)
    except KeyboardInterrupt:
        click.echo("interrupted: `harness down` goes on where this ended", err=True)
        sys.exit(INTERRUPTED)


def _down(name: str, everything: bool) -> int:
    from harness.meshes.kind import state
    from harness.services.engine import extra, own

    known = state.names()
    if name and name not in known:
        click.echo(
            f"error: mesh {name}: must be one of {', '.join(known) or 'none: there is no mesh'}", err=True
        )
        return BAD_INPUT
    if not known and not everything and not own.left():
        click.echo("nothing of ours is here")
        return DONE
    extra.need()
    return _remove(name, everything)


def _remove(name: str, everything: bool) -> int:
    from rich.console import Console

    from harness.meshes.kind import down
    from harness.report import console

    said: list[str] = []

    def say(message: str) -> None:
        said.append(message)
        click.echo(message)

    report = console.Report(Console(stderr=True, highlight=False))
    with contextlib.closing(report):
        down.Down(down.Wish(name, everything), say, report).run()
    if not said:
        click.echo("nothing of ours is here")
    return DONE
