"""``autowasm retire``: what Helm runs before it removes the installation, and whoever removes it by hand."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from autowasm import errors
from autowasm.controller import flags

if TYPE_CHECKING:
    from autowasm.controller.retiring.retire import Report, Wish
    from autowasm.kube.names import Key

HOLD_SECONDS: Final = 30
"""How long controllers that still run hold still: an uninstallation ends them sooner, and takes their rights."""

_REMEDY: Final = (
    "Mend it and try again. Nothing was uninstalled; helm uninstall --no-hooks leaves filters in the mesh."
)


@click.command()
@flags.KUBECONFIG
@click.option(
    "-n",
    "--install-namespace",
    default="istio-system",
    envvar="AUTOWASM_INSTALL_NAMESPACE",
    show_envvar=True,
    show_default=True,
    help="Where AutoWasm is installed.",
)
@click.option(
    "--settle",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    help="How long sidecars have to drop what was taken out.",
)
@click.option(
    "--hold",
    metavar="SECONDS",
    type=click.IntRange(min=3),
    default=HOLD_SECONDS,
    show_default=True,
    help="How long controllers hold still afterwards.",
)
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Format."
)
def command(kubeconfig: Path | None, output: str, **given: Any) -> None:
    """Take every filter out of the mesh before AutoWasm is uninstalled.

    AutoWasms stay; the next installation brings their filters back. Whatever is left is an error, and then the
    controllers go on as before.

    \b
    Examples:
      autowasm retire --kubeconfig ~/.kube/config
      autowasm retire -n mesh --settle 10 -o json
    """
    # Loaded late: --help and a wrong flag are answered at once.
    from autowasm.controller.retiring.retire import Wish  # noqa: PLC0415

    wish = Wish(given["install_namespace"], given["settle"], given["hold"])
    try:
        report = asyncio.run(_run(kubeconfig, wish))
    except errors.Error as fault:
        click.echo(f"error: {fault}\nhint: {fault.remedy or _REMEDY}", err=True)
        sys.exit(2 if isinstance(fault, errors.Usage) else 1)
    except asyncio.CancelledError:
        click.echo("error: ended by a signal before all filters were out of the mesh", err=True)
        sys.exit(1)
    click.echo(json.dumps(_plain(report), indent=2) if output == "json" else _text(report))


async def _run(kubeconfig: Path | None, wish: Wish) -> Report:
    from autowasm.controller.retiring import retire  # noqa: PLC0415
    from autowasm.kube import connection  # noqa: PLC0415

    own = asyncio.current_task()
    assert own is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, own.cancel)
    async with connection.connect(kubeconfig) as client:
        return await retire.retire(client, wish, lambda text: click.echo(text, err=True))


def _text(report: Report) -> str:
    lines = [f"{key}: taken out of the mesh" for key in report.taken]
    lines += [f"{key}: was not in the mesh" for key in report.without]
    lines += [
        f"{key}: EnvoyFilter left, no AutoWasm of this name owns it, but sidecars ask wasmer for it"
        for key in report.left
    ]
    return "\n".join(lines or ["nothing of AutoWasm is in the mesh"])


def _plain(report: Report) -> dict[str, list[dict[str, str]]]:
    def named(keys: tuple[Key, ...]) -> list[dict[str, str]]:
        return [{"namespace": key.namespace, "name": key.name} for key in keys]

    return {"taken": named(report.taken), "without": named(report.without), "left": named(report.left)}
