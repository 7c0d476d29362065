"""``wasmc check``: say what Envoy would do with a module, and why."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from autowasm import errors, limits
from autowasm.abi import capabilities, check, tables
from autowasm.store import compiled
from autowasm.wasmc import connection as connections
from autowasm.wasmc import files, pairs, report, source

_CAPABILITIES: Final = frozenset(
    name
    for name in (
        *map(capabilities.of_import, tables.HOST_FUNCTIONS),
        *map(capabilities.of_export, tables.EXPORTS),
    )
    if name is not None
)


@click.command()
@click.argument("name", metavar="FILE|REF|URL")
@click.option(
    "--envoy", default=check.ENVOY, show_default=True, metavar="VERSION", help="The proxy's version."
)
@click.option("--config", default="", metavar="TEXT|@FILE", help="Plugin configuration to start it with.")
@click.option("--vm-config", default="", metavar="TEXT|@FILE", help="VM configuration to start it with.")
@click.option("--root-id", default="", metavar="ID", help="Its rootID.")
@click.option("--env", multiple=True, metavar="K=V", help="An environment variable of its VM.")
@click.option(
    "--capability",
    multiple=True,
    metavar="NAME",
    help="A function it may call or be called by; default: all.",
)
@click.option("--no-run", is_flag=True, help="Look at the bytes alone.")
@connections.options
@report.option
def command(connection: connections.Connection, name: str, form: str, **given: Any) -> None:
    """Say what Envoy would do with a module: its ABI, imports and exports, how it starts, how it serves a GET.

    The module is started with the given configurations, as the proxy would start it, and gets a request.
    Exit code 1 where it is refused or fails.

    \b
    Examples:
      wasmc check hello.wasm
      wasmc check hello.wasm --config @plugin.json --output json
      wasmc check registry.example.com/filters/hello:v1 --envoy 1.36
      wasmc check https://files.example.com/hello.wasm --no-run
    """
    envoy = _version(given["envoy"])
    configuration = _configuration(given)
    found = source.load(name, connection)
    budget = None if given["no_run"] else check.Budget()
    judged = check.check(
        found.module, configuration, envoy=envoy, budget=budget, compiled=compiled.of_user()
    ).beside(found.findings)
    report.show(judged, name, form)
    if not judged.ok:
        sys.exit(1)


def _configuration(given: dict[str, Any]) -> check.Configuration:
    environment = pairs.read("--env", "NAME=VALUE", given["env"], "Envoy refuses a second {key}")
    return check.Configuration(
        vm=_bytes(given["vm_config"]),
        plugin=_bytes(given["config"]),
        root_id=given["root_id"],
        environment=tuple(environment.items()),
        capabilities=_capabilities(given["capability"]),
    )


def _version(text: str) -> str:
    try:
        check.target(text)
    except ValueError as error:
        raise errors.Usage(f"--envoy: {error}") from error
    return text


def _bytes(text: str) -> bytes:
    if text.startswith("@"):
        return files.read(Path(text[1:]), limits.MIB)
    return text.encode("utf-8", "surrogateescape")


def _capabilities(names: Sequence[str]) -> frozenset[str]:
    for name in names:
        if name not in _CAPABILITIES:
            near = difflib.get_close_matches(name, _CAPABILITIES, n=1)
            remedy = f"Did you mean {near[0]}?" if near else ""
            raise errors.Usage(
                f"--capability {name!r}: must name a function of the host or a callback", remedy=remedy
            )
    return frozenset(names)
