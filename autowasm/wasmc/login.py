"""``wasmc login``: show a registry a user's password, and keep it where Docker keeps its own."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import Any

import click

from autowasm import errors
from autowasm.oci.reference import Reference
from autowasm.registry.credentials import Credentials
from autowasm.wasmc import connection as connections
from autowasm.wasmc import keyring, output


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A registry took the user's password, which is kept in ``store``."""

    registry: str
    username: str
    store: str

    def to_json(self) -> dict[str, Any]:
        """As programs read it; the shape is stable."""
        return {"registry": self.registry, "username": self.username, "store": self.store}

    def lines(self) -> tuple[str, ...]:
        """As people read it."""
        return f"Logged in to {self.registry} as {self.username}", f"Stored: {self.store}"


@click.command()
@click.argument("registry", metavar="REGISTRY", type=connections.RegistryType())
@connections.options
@output.option
def command(connection: connections.Connection, registry: Reference, form: str) -> None:
    """Show a registry your password, and keep it for push and pull.

    It goes where Docker's configuration says: to a credential helper, else into config.json, which keeps it
    readable. Whoever has logged in with docker needs no login here.

    \b
    Examples:
      wasmc login registry.example.com
      wasmc login registry.example.com --username ada --password-stdin < token.txt
    """
    output.show(login(connection, registry), form)


def login(connection: connections.Connection, registry: Reference) -> LoggedIn:
    """Ask the registry, then keep.

    Raises:
        errors.Usage: nothing says who logs in, or the password cannot be kept.
        errors.Final, errors.Retry: side "registry": it refused, or could not be reached.
    """
    credentials = _asked(connection) if _asks(connection) else connection.credentials(registry)
    if credentials is None or not credentials.username:
        raise errors.Usage(
            "credentials: must be given for a login",
            remedy="Give --username and --password-stdin, or use a terminal.",
        )
    asyncio.run(_knock(connection, registry, credentials))
    return LoggedIn(registry.registry, credentials.username, keyring.save(registry.registry, credentials))


def _asks(connection: connections.Connection) -> bool:
    return not connection.password_stdin and sys.stdin.isatty()


def _asked(connection: connections.Connection) -> Credentials:
    username = connection.username or click.prompt("Username", err=True)
    return Credentials(username, click.prompt("Password", hide_input=True, err=True))


async def _knock(connection: connections.Connection, registry: Reference, credentials: Credentials) -> None:
    async with connection.registry() as client:
        await client.login(registry, credentials)
