"""The ``autowasm-controller`` program: settings from flags and environment, one process, ends politely."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import click

from autowasm import daemon, errors, serving
from autowasm.controller import flags
from autowasm.controller.election import LEASE_SECONDS


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@flags.KUBECONFIG
@click.option(
    "--listen",
    type=daemon.AddressType(),
    default=f"0.0.0.0:{serving.CONTROLLER_PORT}",
    envvar="AUTOWASM_LISTEN",
    show_envvar=True,
    help="Where to hand modules to wasmers, and to answer /healthz, /readyz and /metrics; port 0 takes any "
    "that is free.",
)
@daemon.data("AUTOWASM")
@click.option(
    "--install-namespace",
    default="istio-system",
    envvar="AUTOWASM_INSTALL_NAMESPACE",
    show_envvar=True,
    help="Namespace of Service wasmer: where sidecars are told to fetch.",
)
@click.option(
    "--wasmer",
    metavar="URL",
    type=daemon.base_url,
    envvar="AUTOWASM_WASMER",
    show_envvar=True,
    help="Wasmers, at every address of the name: asked for a module before sidecars are told of it, and for what "
    "stands in the mesh before its registry is.",
)
@click.option(
    "--ca-file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="AUTOWASM_CA_FILE",
    show_envvar=True,
    help="PEM file of authorities that registries may have beside the system's.",
)
@daemon.quota("AUTOWASM", "what stands in the mesh and what was wanted lately never gives way.")
@click.option(
    "--lease-seconds",
    type=click.IntRange(min=2),
    default=LEASE_SECONDS,
    envvar="AUTOWASM_LEASE_SECONDS",
    show_envvar=True,
    help="Of several controllers one writes: after how long without a sign of it another one does.",
)
@daemon.log_level("AUTOWASM")
@click.version_option(package_name="autowasm", prog_name="autowasm-controller")
def main(listen: daemon.Address, log_level: str, install_namespace: str, **given: Any) -> None:
    """Turn AutoWasm objects into EnvoyFilters: pull, check, store, write, and say so in their status.

    \b
    Examples:
      autowasm-controller --data /var/lib/autowasm
      autowasm-controller --kubeconfig ~/.kube/config --data ./modules --listen 127.0.0.1:8082
    """
    # Loaded late: --help and a wrong flag are answered at once.
    from autowasm.controller import run  # noqa: PLC0415
    from autowasm.istio.envoyfilter import Install  # noqa: PLC0415

    daemon.log_to_stderr(log_level)
    try:
        with daemon.bind(listen, "controller") as listener:
            settings = run.Settings(install=Install(install_namespace), **given)
            asyncio.run(run.run(settings, listener))
    except errors.Error as fault:
        click.echo(f"error: {fault}" + (f"\n{fault.remedy}" if fault.remedy else ""), err=True)
        sys.exit(2 if isinstance(fault, errors.Usage) else 1)
