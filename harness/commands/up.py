"""``harness up``: a mesh to play with, reachable from this machine, until Ctrl-C.

The command starts itself again inside of namespaces (as ``harness run`` does); the outer one holds the ports.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NoReturn

import click

if TYPE_CHECKING:
    from harness.report.console import Report
    from harness.toolchain.binaries import Toolchain

MACHINE, BAD_INPUT, INTERRUPTED = 3, 2, 130
_NAME: Final = "sandbox"
_CHECK_SECONDS: Final = 0.5


@click.command()
@click.option(
    "--name", default="", help=f"Its name for `harness exec`.  [default: {_NAME}, with a number if taken]"
)
def command(name: str) -> NoReturn:
    """Bring up a mesh and keep it until Ctrl-C: API server, registry and applications on this machine's loopback.

    \b
    Examples:
      harness up
      harness up --name second

    Exit codes: 0 ended by Ctrl-C, 2 bad input, 3 the machine lacks something or the mesh broke,
    130 interrupted before it was up.
    """
    from harness.mesh import Broken

    try:
        sys.exit(_up(name))
    except Broken as broken:
        click.echo(f"error: {broken}", err=True)
        sys.exit(MACHINE)
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)


def _up(name: str) -> int:
    from harness.meshes import local
    from harness.meshes.local import namespaces, sandbox
    from harness.toolchain import binaries

    with _report() as report:
        toolchain = binaries.ensure(local.PROGRAMS, report)
        if namespaces.inside():
            return _inside(toolchain, report)
    again = [sys.executable, "-m", "harness", *sys.argv[1:]]
    try:
        return namespaces.enter(again, sandbox.bind(), name=name or _NAME, exact=bool(name))
    except FileExistsError as error:
        click.echo(f"error: {error}", err=True)
        return BAD_INPUT


def _inside(toolchain: Toolchain, report: Report) -> int:
    from harness.commands import welcome
    from harness.meshes import local
    from harness.meshes.local import namespaces, sandbox
    from harness.services import forward

    for number in (signal.SIGTERM, signal.SIGINT):  # a shell's background job begins with SIGINT ignored
        signal.signal(number, _interrupt)
    found = sandbox.opened(namespaces.listeners())
    folder = namespaces.folder()
    with (
        local.Local(toolchain, report, sandbox.options(found)) as mesh,
        forward.Forwarder(sandbox.routes(found)),
    ):
        config = sandbox.write_kubeconfig(folder, mesh.kubeconfig.parent, found["api"].port)
        ports = {name: door.port for name, door in found.items()}
        place = welcome.Place(folder, config, toolchain.path("kubectl"), mesh.bindings, ports)
        report.close()
        click.echo(welcome.text(place))
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(_CHECK_SECONDS)
                mesh.check()
        click.echo("taking it down")
    return 0


@contextlib.contextmanager
def _report() -> Iterator[Report]:
    from rich.console import Console

    from harness.report import console

    report = console.Report(Console(stderr=True, highlight=False))
    try:
        yield report
    finally:
        report.close()


def _interrupt(*_signal: object) -> NoReturn:
    raise KeyboardInterrupt
