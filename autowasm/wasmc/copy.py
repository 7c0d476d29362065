"""``wasmc copy``: an image from one place to another, its digest kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import click

from autowasm.digest import Digest
from autowasm.oci.reference import Reference
from autowasm.registry import client, upload
from autowasm.wasmc import connection as connections
from autowasm.wasmc import output, progress


@dataclass(frozen=True, slots=True)
class Copied:
    """The image is in both places, under the same digest."""

    source: Reference
    target: Reference
    digest: Digest

    def to_json(self) -> dict[str, Any]:
        """As programs read it; the shape is stable."""
        return {"source": str(self.source), "target": str(self.target), "digest": str(self.digest)}

    def lines(self) -> tuple[str, ...]:
        """As people read it."""
        return f"Copied {self.source} to {self.target}", f"Digest: {self.digest}"


@click.command()
@click.argument("source", metavar="REF", type=connections.ReferenceType())
@click.argument("target", metavar="REF", type=connections.ReferenceType())
@connections.options
@output.option
def command(connection: connections.Connection, source: Reference, target: Reference, form: str) -> None:
    """Copy an image of any layout, indexes included, from the first reference to the second.

    What is there already is not sent; within one registry nothing is. The credentials that are given are the
    target's; the source's are those that you have logged in with.

    \b
    Examples:
      wasmc copy registry.example.com/filters/hello:v1 registry.example.com/filters/hello:stable
      wasmc copy registry.example.com/filters/hello:v1 mirror.example.com/filters/hello:v1
    """
    with progress.bars(form) as told:
        copied = asyncio.run(_copy(connection, source, target, told))
    output.show(Copied(source, target, copied), form)


async def _copy(
    connection: connections.Connection, source: Reference, target: Reference, told: progress.Told
) -> Digest:
    to = client.Party(target, connection.credentials(target))
    same = source.registry == target.registry
    origin = client.Party(source, to.credentials if same else connection.of_user(source))
    async with connection.registry() as registry:
        return await registry.copy(origin, to, upload.Manner(told=told))
