"""``wasmc push``: check a module, store it in a registry."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from autowasm import errors
from autowasm.abi import check, findings
from autowasm.digest import Digest
from autowasm.oci import artifact
from autowasm.oci.reference import Reference
from autowasm.wasmc import connection as connections
from autowasm.wasmc import files, output


@dataclass(frozen=True, slots=True)
class Wish:
    """What to push where. ``shape`` is a key of ``artifact.FORMATS``."""

    reference: Reference
    file: Path
    shape: str
    force: bool


@click.command()
@click.argument("reference", metavar="REF", type=connections.ReferenceType())
@click.option("-f", "--file", required=True, type=click.Path(path_type=Path), help="The .wasm file to push.")
@click.option(
    "--format",
    "shape",
    type=click.Choice(list(artifact.FORMATS)),
    default="image",
    show_default=True,
    help="An image that every mesh loads, or the bare module as an artifact.",
)
@click.option("--force", is_flag=True, help="Push also what Envoy would not load.")
@connections.options
@output.option
def command(connection: connections.Connection, form: str, **wish: Any) -> None:
    """Check a module and store it in an OCI registry.

    \b
    Examples:
      wasmc push registry.example.com/filters/hello:v1 -f hello.wasm
      wasmc push localhost:5000/hello:v1 -f hello.wasm --format binary
    """
    output.show(push(connection, Wish(**wish)), form)


def push(connection: connections.Connection, wish: Wish) -> output.Pushed:
    """Check and push.

    Raises:
        errors.Usage: the file, the reference or the credentials cannot be used.
        errors.Final: side "module": the check found an error; side "registry": it refused.
        errors.Retry: side "registry": it could not be reached.
    """
    module = files.read(wish.file)
    _refuse(check.check(module, None), wish)
    digest = asyncio.run(_send(connection, wish, module))
    return output.Pushed(wish.reference, digest, Digest.of(module), len(module))


async def _send(connection: connections.Connection, wish: Wish, module: bytes) -> Digest:
    credentials = connection.credentials(wish.reference)
    async with connection.registry() as registry:
        made = artifact.FORMATS[wish.shape](module, artifact.PLAIN)
        return await registry.store(wish.reference, made, credentials)


def _refuse(report: findings.Report, wish: Wish) -> None:
    output.show_findings(report.findings, err=True)
    worst = report.worst()
    if report.ok or worst is None or wish.force:
        return
    raise errors.Final(
        f"{wish.file}: must be a module that Envoy loads, the check found {worst.rule}",
        side="module",
        reason="CheckFailed",
        remedy="Mend the module, or push it as it is with --force.",
    )
