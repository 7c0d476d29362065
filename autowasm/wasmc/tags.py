"""``wasmc tags``: what versions a repository has."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import click

from autowasm.oci.reference import Reference
from autowasm.wasmc import connection as connections
from autowasm.wasmc import output


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of a repository, in the registry's order."""

    repository: str
    tags: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As programs read it; the shape is stable."""
        return {"repository": self.repository, "tags": list(self.tags)}

    def lines(self) -> tuple[str, ...]:
        """As people read it."""
        return self.tags


@click.command()
@click.argument("repository", metavar="REPOSITORY", type=connections.ReferenceType())
@connections.options
@output.option
def command(connection: connections.Connection, repository: Reference, form: str) -> None:
    """List the tags of a repository, one a line.

    \b
    Examples:
      wasmc tags registry.example.com/filters/hello
      wasmc tags registry.example.com/filters/hello --output json
    """
    found = asyncio.run(_ask(connection, repository))
    output.show(Tags(f"{repository.registry}/{repository.repository}", found), form)


async def _ask(connection: connections.Connection, repository: Reference) -> tuple[str, ...]:
    credentials = connection.credentials(repository)
    async with connection.registry() as registry:
        return await registry.tags(repository, credentials)
