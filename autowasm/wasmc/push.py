"""``wasmc push``: check a module, store it in a registry."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from autowasm import errors, limits
from autowasm.abi import check, findings
from autowasm.digest import Digest
from autowasm.oci import artifact
from autowasm.oci.reference import Reference
from autowasm.registry import upload
from autowasm.wasmc import connection as connections
from autowasm.wasmc import files, output, pairs, progress, report


@dataclass(frozen=True, slots=True)
class Wish:
    """What to push where.

    ``shape`` is a key of ``artifact.FORMATS``, ``annotation`` has KEY=VALUE, ``mount_from`` repositories.
    """

    reference: Reference
    file: Path
    shape: str
    config: Path | None
    annotation: tuple[str, ...]
    mount_from: tuple[str, ...]
    force: bool

    def extras(self) -> artifact.Extras:
        """What goes with the module. Raises errors.Usage."""
        config = None if self.config is None else files.read(self.config, limits.MIB)
        annotations = pairs.read("--annotation", "KEY=VALUE", self.annotation, "{key} is there already")
        return artifact.Extras(config, annotations)


@click.command()
@click.argument("reference", metavar="REF", type=connections.ReferenceType())
@click.option("-f", "--file", required=True, type=click.Path(path_type=Path), help="The .wasm file to push.")
@click.option(
    "--format",
    "shape",
    type=click.Choice(list(artifact.FORMATS)),
    default="image",
    show_default=True,
    help="An image that every mesh loads, the bare module as an artifact, or the CNCF's artifact.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A runtime-config.json to go with the module.",
)
@click.option(
    "--annotation", multiple=True, metavar="KEY=VALUE", help="An annotation of the manifest; again for more."
)
@click.option(
    "--mount-from",
    multiple=True,
    metavar="REPOSITORY",
    help="A repository of the same registry that may have the module already; nothing is sent then.",
)
@click.option("--force", is_flag=True, help="Push also what Envoy would not load.")
@connections.options
@output.option
def command(connection: connections.Connection, form: str, **wish: Any) -> None:
    """Check a module and store it in an OCI registry.

    \b
    Examples:
      wasmc push registry.example.com/filters/hello:v1 -f hello.wasm
      wasmc push localhost:5000/hello:v1 -f hello.wasm --format binary --config runtime-config.json
      wasmc push registry.example.com/filters/hello:v1 -f hello.wasm --annotation org.opencontainers.image.revision=4f2c
    """
    with progress.bars(form) as told:
        pushed = push(connection, Wish(**wish), told)
    output.show(pushed, form)


def push(connection: connections.Connection, wish: Wish, told: progress.Told) -> output.Pushed:
    """Check and push.

    Raises:
        errors.Usage: a file, the reference or the credentials cannot be used.
        errors.Final: side "module": the check found an error; side "registry": it refused.
        errors.Retry: side "registry": it could not be reached.
    """
    module, extras = files.read(wish.file), wish.extras()
    _refuse(check.check(module, None), wish)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = artifact.FORMATS[wish.shape](module, dataclasses.replace(extras, each=pool.map))
    digest = asyncio.run(_send(connection, wish, made, told))
    return output.Pushed(wish.reference, digest, Digest.of(module), len(module))


async def _send(
    connection: connections.Connection, wish: Wish, made: artifact.Artifact, told: progress.Told
) -> Digest:
    credentials = connection.credentials(wish.reference)
    manner = upload.Manner(wish.mount_from, told)
    async with connection.registry() as registry:
        return await registry.store(wish.reference, made, credentials, manner)


def _refuse(found: findings.Report, wish: Wish) -> None:
    report.show_findings(found.findings, err=True)
    worst = found.worst()
    if found.ok or worst is None or wish.force:
        return
    raise errors.Final(
        f"{wish.file}: must be a module that Envoy loads, the check found {worst.rule}",
        side="module",
        reason="CheckFailed",
        remedy="Mend the module, or push it as it is with --force.",
    )
