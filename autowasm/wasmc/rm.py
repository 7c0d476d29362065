"""``wasmc rm``: take a tag off, or delete an image."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import click

from autowasm.oci.reference import Reference
from autowasm.wasmc import connection as connections
from autowasm.wasmc import output


@dataclass(frozen=True, slots=True)
class Removed:
    """The reference stands for nothing now."""

    reference: Reference

    def to_json(self) -> dict[str, Any]:
        """As programs read it; the shape is stable."""
        return {"reference": str(self.reference)}

    def lines(self) -> tuple[str, ...]:
        """As people read it."""
        return (f"Removed {self.reference}",)


@click.command()
@click.argument("reference", metavar="REF", type=connections.ReferenceType())
@connections.options
@output.option
def command(connection: connections.Connection, reference: Reference, form: str) -> None:
    """Take a tag off an image; with a digest, delete the image itself, and so all of its tags.

    Many registries delete only where their configuration allows it.

    \b
    Examples:
      wasmc rm registry.example.com/filters/hello:v1
      wasmc rm r.example.com/hello@sha256:750d63889653e7117fcbc0831f10f0e1d3f7ec0c82fe5787b71d08a783e3393f
    """
    asyncio.run(_remove(connection, reference))
    output.show(Removed(reference), form)


async def _remove(connection: connections.Connection, reference: Reference) -> None:
    credentials = connection.credentials(reference)
    async with connection.registry() as registry:
        await registry.delete(reference, credentials)
