"""``wasmc pull``: fetch a module from a registry into a file."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from autowasm import errors
from autowasm.digest import Digest
from autowasm.oci.reference import Reference
from autowasm.registry import search
from autowasm.wasmc import connection as connections
from autowasm.wasmc import files, output, progress


@click.command()
@click.argument("reference", metavar="REF", type=connections.ReferenceType())
@click.option(
    "-o",
    "--out",
    default="filter.wasm",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The file to write; - writes the module, and nothing else, to standard output.",
)
@connections.options
@output.option
def command(connection: connections.Connection, reference: Reference, out: Path, form: str) -> None:
    """Fetch the module that a reference stands for, whatever layout its image has.

    \b
    Examples:
      wasmc pull registry.example.com/filters/hello:v1
      wasmc pull registry.example.com/filters/hello:v1 -o hello.wasm --output json
      wasmc pull registry.example.com/filters/hello:v1 -o - | wasm-objdump -x -
    """
    if str(out) != "-":
        output.show(pull(connection, reference, out, form), form)
        return
    if form != "text":
        raise errors.Usage("--output: must be text where the module itself goes to standard output")
    _, found = asyncio.run(_find(connection, reference, form))
    sys.stdout.buffer.write(found.module)


def pull(connection: connections.Connection, reference: Reference, out: Path, form: str) -> output.Fetched:
    """Fetch and write; shows how far it is where ``form`` is for people.

    Raises:
        errors.Usage: the file or the credentials cannot be used.
        errors.Final, errors.Retry: side "registry".
    """
    return asyncio.run(_fetch(connection, reference, files.check_target(out), form))


async def _fetch(
    connection: connections.Connection, reference: Reference, target: Path, form: str
) -> output.Fetched:
    digest, found = await _find(connection, reference, form)
    # At once: each takes some time with a large module, and the bytes are verified already.
    sha256, _ = await asyncio.gather(
        asyncio.to_thread(Digest.of, found.module), asyncio.to_thread(files.write, target, found.module)
    )
    return output.Fetched(reference, digest, sha256, len(found.module), found.layout, target)


async def _find(
    connection: connections.Connection, reference: Reference, form: str
) -> tuple[Digest, search.Found]:
    credentials = connection.credentials(reference)
    with progress.bars(form) as told:
        async with connection.registry() as registry:
            return await registry.find(reference, credentials, told)
