"""The ``wasmer`` program: settings from flags and environment, one process, ends politely.

SIGTERM and SIGINT stop it from accepting; transfers under way are finished first, within ``GRACE_SECONDS``.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import click
import uvicorn

from autowasm import daemon, errors, serving
from autowasm.net import session
from autowasm.store import blobs
from autowasm.wasmer import app, fetch, fill, metrics

GRACE_SECONDS: Final = 25
"""How long transfers under way may take after SIGTERM: less than the 30 s after which a kubelet kills."""

KEEP_ALIVE_SECONDS: Final = 75
"""How long an idle connection stays: longer than the pauses of a sidecar's retries."""

_log = logging.getLogger(__name__)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option(
    "--listen",
    type=daemon.AddressType(),
    default=f"0.0.0.0:{serving.WASMER_PORT}",
    envvar="WASMER_LISTEN",
    show_envvar=True,
    help="Where to serve; port 0 takes any that is free.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    envvar="WASMER_DATA",
    show_envvar=True,
    help="Folder of the store.",
)
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
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    envvar="WASMER_LOG_LEVEL",
    show_envvar=True,
    help="Least level that is logged.",
)
@click.version_option(package_name="autowasm", prog_name="wasmer")
def main(
    listen: daemon.Address,
    data: Path,
    log_level: str,
    token_file: Path | None,
    **urls: tuple[str, ...],
) -> None:
    """Serve Wasm modules by digest to sidecars.

    A module that is not in the store is fetched from a peer or a controller, verified and kept.

    \b
    Examples:
      wasmer --data /var/lib/wasmer --controller http://autowasm-controller.istio-system:8082
      curl -sO http://localhost:8081/wasm/<sha256>
    """
    daemon.log_to_stderr(log_level)
    try:
        store = blobs.Blobs(data)
        listener = daemon.bind(listen, "wasmer")
    except errors.Error as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    _serve(store, listener, fill.Sources(urls["peers"], urls["controllers"], token_file))


def _serve(store: blobs.Blobs, listener: socket.socket, sources: fill.Sources) -> None:
    meters = metrics.Metrics(lambda: len(store.digests()))

    @contextlib.asynccontextmanager
    async def open_modules() -> AsyncIterator[fill.Modules]:
        # All that it asks is in the cluster, and asked by address: no proxy's business.
        async with session.client(timeout=fetch.IDLE_SECONDS, proxies=False) as http:
            modules = fill.Modules(store, http, sources, meters)
            host, port = listener.getsockname()[:2]
            _log.info("serving", extra={"host": host, "port": port, "modules": len(store.digests())})
            yield modules
            await modules.close()

    config = uvicorn.Config(
        app.build(open_modules, meters),
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    # uvicorn raises the signal again once it has shut down: that is then the end, and a good one.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
