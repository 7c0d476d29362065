"""The ``wasmer`` program: settings from flags and environment, one process, ends politely.

SIGTERM and SIGINT stop it from accepting; transfers under way are finished first, within ``run.GRACE_SECONDS``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from autowasm import daemon, errors, limits, serving
from autowasm.wasmer import fill, run


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option(
    "--listen",
    type=daemon.AddressType(),
    default=f"0.0.0.0:{serving.WASMER_PORT}",
    envvar="WASMER_LISTEN",
    show_envvar=True,
    help="Where to serve; port 0 takes any that is free.",
)
@daemon.data("WASMER")
@click.option(
    "--controller",
    "controllers",
    metavar="URL",
    type=daemon.base_url,
    multiple=True,
    envvar="WASMER_CONTROLLER",
    show_envvar=True,
    help="Where to fetch modules, at every address of its name. Repeatable.",
)
@click.option(
    "--peer",
    "peers",
    metavar="URL",
    type=daemon.base_url,
    multiple=True,
    envvar="WASMER_PEER",
    show_envvar=True,
    help="Wasmers to ask first, at every address of the name. Repeatable.",
)
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="WASMER_TOKEN_FILE",
    show_envvar=True,
    help="ServiceAccount token for controllers, read at each use.",
)
@daemon.quota("WASMER", "what nobody asked for within a day gives way.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0),
    default=limits.REQUESTS_PER_SECOND,
    envvar="WASMER_RATE",
    show_envvar=True,
    help="Requests a second that one address may make for modules, in the long run; 0 is no bound.",
)
@daemon.log_level("WASMER")
@click.version_option(package_name="autowasm", prog_name="wasmer")
def main(listen: daemon.Address, data: Path, log_level: str, **given: Any) -> None:
    """Serve Wasm modules by digest to sidecars.

    A module that is not in the store is fetched from a peer or a controller, verified and kept.

    \b
    Examples:
      wasmer --data /var/lib/wasmer --controller http://autowasm-controller.istio-system:8082
      curl -sO http://localhost:8081/wasm/<sha256>
    """
    daemon.log_to_stderr(log_level)
    sources = fill.Sources(given["peers"], given["controllers"], given["token_file"])
    try:
        wasmer = run.Wasmer(run.Settings(data, sources, given["quota"], given["rate"]))
        listener = daemon.bind(listen, "wasmer")
    except errors.Error as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    run.run(wasmer, listener)


if __name__ == "__main__":
    main()
