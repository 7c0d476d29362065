"""``wasmc logout``: forget a password."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from autowasm.oci.reference import Reference
from autowasm.wasmc import connection as connections
from autowasm.wasmc import keyring, output


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """No password for the registry is kept; ``was`` says whether one was."""

    registry: str
    was: bool

    def to_json(self) -> dict[str, Any]:
        """As programs read it; the shape is stable."""
        return {"registry": self.registry, "was_logged_in": self.was}

    def lines(self) -> tuple[str, ...]:
        """As people read it."""
        return (f"Logged out of {self.registry}" if self.was else f"Not logged in to {self.registry}",)


@click.command()
@click.argument("registry", metavar="REGISTRY", type=connections.RegistryType())
@output.option
def command(registry: Reference, form: str) -> None:
    """Forget the password for a registry, in Docker's config.json and in the credential helper.

    \b
    Examples:
      wasmc logout registry.example.com
    """
    output.show(LoggedOut(registry.registry, keyring.erase(registry.registry)), form)
