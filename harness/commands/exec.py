"""``harness exec``: a command inside of a running mesh, with the terminal, the input and the exit code passed on."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NoReturn

import click

if TYPE_CHECKING:
    from harness.meshes.local.state import Running

_KUBECONFIG: Final = "/run/mesh/keys/admin.kubeconfig"  # inside: harness.meshes.local.local.Local.kubeconfig


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--name", default="", help="Which mesh; not needed where only one runs.")
@click.option("--in", "workload", default="", help="In the network of a workload, e.g. client or details.")
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED)
def command(name: str, workload: str, argv: Sequence[str]) -> NoReturn:
    """Run a command inside of a mesh that `harness up` or `harness run --keep` holds. KUBECONFIG is set for it.

    \b
    Examples:
      harness exec -- kubectl get pods -A
      harness exec --in client -- curl -si 10.99.1.2:9080/details/1
      harness exec --in details -- curl -s 127.0.0.1:15000/config_dump
      harness exec --name sandbox-2 -- bash

    Exit codes: those of the command; 2 where there is no such mesh or workload.
    """
    from harness.services import process

    running = _find(name)
    _check_workload(workload)
    environment = process.environment({"KUBECONFIG": _KUBECONFIG})
    os.execvpe("nsenter", _enter(running, workload, argv), environment)


def _enter(running: Running, workload: str, argv: Sequence[str]) -> list[str]:
    user = ["--user", "--preserve-credentials"] if running.user_namespace else []
    network = ["nsenter", f"--net=/run/netns/{workload}"] if workload else []
    # Entering a mount namespace leaves the current folder behind: env goes back to it.
    back = ["env", f"--chdir={os.getcwd()}"]  # noqa: PTH109
    return [
        "nsenter",
        f"--target={running.pid}",
        *user,
        "--mount",
        "--net",
        "--pid",
        "--",
        *network,
        *back,
        *argv,
    ]


def _find(name: str) -> Running:
    from harness.meshes.local import state

    found = state.running()
    matching = [one for one in found if name in ("", one.name)]
    names = ", ".join(one.name for one in found) or "none"
    if not matching:
        _refuse(
            f"mesh{' ' + name if name else ''}: must be running, running are: {names}",
            "start one with `harness up`",
        )
    if len(matching) > 1:
        _refuse(f"mesh: must be named where several run: {names}", "say which with --name")
    return matching[0]


def _check_workload(name: str) -> None:
    from harness.meshes.local import topology

    names = [workload.name for workload in topology.WORKLOADS]
    if name and name not in names:
        _refuse(
            f"workload {name}: must be one of {', '.join(names)}", "leave --in out for the node's network"
        )


def _refuse(message: str, hint: str) -> NoReturn:
    click.echo(f"error: {message}\nhint: {hint}", err=True)
    sys.exit(2)
