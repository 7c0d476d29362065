"""``harness images``: the images of a cluster that are made here: made now, listed, taken away."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from harness import events
    from harness.images.pruning import Thing
    from harness.images.store import Store
    from harness.images.value import Wish

LACKS = 3
INTERRUPTED = 130
_OUTPUT = click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
_INSTALL = click.option(
    "--install", is_flag=True, help="Install a container engine by apt-get, where none is here."
)


@click.group()
def command() -> None:
    """The images of a kind mesh: those made here, where no image registry gives released ones.

    \b
    Examples:
      harness images build                 make what is missing; it is used as long as nothing in it changes
      harness images list
      harness images prune                 take away what this checkout does not use
      harness images prune --all           all of ours, and the Debian file system they are made of

    Exit codes: 0 done, 2 bad input, 3 the machine lacks something, 130 interrupted.
    """


@command.command()
@click.option(
    "--images",
    "wish",
    type=click.Choice(["auto", "released", "built"]),
    default="built",
    show_default=True,
    help="Which to see to: released ones are pulled, auto takes them where a registry answers.",
)
@_INSTALL
@_OUTPUT
def build(wish: Wish, install: bool, output: str) -> NoReturn:
    """Make the images that are not there yet, and say what each is called."""

    def go(emit: events.Emit) -> None:
        from harness import images
        from harness.services import engine

        with engine.using(emit, install=install) as found_engine:
            found = images.ensure(found_engine, emit, origin=wish)
        said = {
            "origin": found.origin,
            "node": found.node or "the default of kind",
            "istio": f"{found.pilot_hub}/{{pilot,proxyv2}}:{found.pilot_tag}",
            "registry": found.registry,
            "autowasm": found.autowasm,
            "apps": found.apps,
        }
        lines = [f"{name:9} {value}" for name, value in said.items()]
        click.echo(json.dumps(said, indent=2) if output == "json" else "\n".join(lines))

    _run(go)


@command.command(name="list")
@_OUTPUT
def list_(output: str) -> NoReturn:
    """List the images made here, and what is kept to make them of; * marks what this checkout uses."""

    def go(emit: events.Emit) -> None:
        from harness.images import pruning

        with _store(emit) as store:
            _print(pruning.found(store), output)

    _run(go)


@command.command()
@click.option("--all", "everything", is_flag=True, help="Also what this checkout uses.")
@_OUTPUT
def prune(everything: bool, output: str) -> NoReturn:
    """Take away images that this checkout does not use; what a cluster runs stays."""

    def go(emit: events.Emit) -> None:
        from harness.images import pruning

        with _store(emit) as store:
            gone = pruning.prune(store, emit, everything=everything)
        _print(gone, output, none="there is nothing to take away")

    _run(go)


@contextlib.contextmanager
def _store(emit: events.Emit) -> Iterator[Store]:
    from harness.images.store import Store
    from harness.services import engine

    with engine.using(emit, install=False) as found:
        yield Store(found)


def _print(things: list[Thing], output: str, none: str = "there is none") -> None:
    rows: list[dict[str, Any]] = [
        {"name": each.name, "in": each.place, "size": each.size, "current": each.current} for each in things
    ]
    if output == "json":
        click.echo(json.dumps(rows, indent=2))
    elif not rows:
        click.echo(none)
    for row in rows if output == "text" else ():
        click.echo(
            f"{'*' if row['current'] else ' '} {row['size'] / 1e6:6.0f} MB  {row['in']:12}  {row['name']}"
        )


def _run(go: Callable[[events.Emit], None]) -> NoReturn:
    from rich.console import Console

    from harness.report import console
    from harness.services.engine import extra
    from harness.toolchain.lacking import Lacking

    report = console.Report(Console(stderr=True, highlight=False))
    code = 0
    try:
        extra.need()
        go(report)
    except Lacking as lacking:
        click.echo(f"error: {lacking}", err=True)
        code = LACKS
    except KeyboardInterrupt:
        click.echo("interrupted: what was finished is kept, nothing else is left", err=True)
        code = INTERRUPTED
    finally:
        report.close()
    sys.exit(code)
