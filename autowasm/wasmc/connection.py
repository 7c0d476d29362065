"""How a command reaches a registry: its options, and the client that follows from them."""

from __future__ import annotations

import functools
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import click
import httpx2

from autowasm import errors, limits
from autowasm.net import retry, session
from autowasm.oci.reference import Reference
from autowasm.registry import client
from autowasm.registry.credentials import Credentials
from autowasm.wasmc import keyring


@dataclass(frozen=True, slots=True)
class Connection:
    """What the user said about reaching registries."""

    username: str | None
    password_stdin: bool
    plain_http: bool
    insecure: bool
    ca_file: str | None
    allow_loopback: bool

    def credentials(self, reference: Reference) -> Credentials | None:
        """Those given, else those that the user keeps (Docker's config.json, a credential helper), else None.

        Raises:
            errors.Usage: half of them are given, or the file is broken.
        """
        if (self.username is not None) != self.password_stdin:
            raise errors.Usage("credentials: must be --username and --password-stdin, only one is given")
        if self.username is not None:
            return Credentials(self.username, _password())
        return keyring.find(reference.registry, reference.repository)

    def of_user(self, reference: Reference) -> Credentials | None:
        """Those that the user keeps, whatever is given. Raises errors.Usage where they are broken."""
        return keyring.find(reference.registry, reference.repository)

    def http(self) -> httpx2.AsyncClient:
        """A client for HTTP. Raises errors.Usage where authorities are named and not to be looked at."""
        if self.insecure and self.ca_file:
            raise errors.Usage("--insecure: must not be given together with --ca-file")
        timeout = limits.PULL_TIMEOUT_SECONDS
        allowed = session.Allowed(any_certificate=self.insecure, loopback=self.allow_loopback)
        return session.client(timeout=timeout, ca_file=self.ca_file, allowed=allowed)

    @asynccontextmanager
    async def registry(self) -> AsyncIterator[client.Registry]:
        """A client for registries, closed at the end."""
        async with self.http() as http:
            yield client.Registry(http, plain_http=self.plain_http, patience=PATIENCE)


def _tell(again: retry.Again) -> None:
    click.echo(f"{again.error}, trying again ({again.attempt} of {again.tries})", err=True)


PATIENCE: Final = retry.Patience(tell=_tell, once=frozenset({"NoSuchHost"}))
"""Every wait is told on standard error: who types a command shall not wonder why it says nothing. A name that nobody
knows is not waited for."""


def _password() -> str:
    try:
        return sys.stdin.buffer.read().decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise errors.Usage("password on standard input: must be UTF-8, is not") from error


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a connection; it receives one value, ``connection``."""

    @click.option("-u", "--username", envvar="WASMC_USERNAME", show_envvar=True, help="Who to log in as.")
    @click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
    @click.option(
        "--plain-http",
        envvar="WASMC_PLAIN_HTTP",
        show_envvar=True,
        is_flag=True,
        help="Speak http. Registries on this host are asked so without it.",
    )
    @click.option(
        "--insecure",
        envvar="WASMC_INSECURE",
        show_envvar=True,
        is_flag=True,
        help="Take any certificate. Whoever is on the way may read the password.",
    )
    @click.option(
        "--ca-file",
        envvar="WASMC_CA_FILE",
        show_envvar=True,
        metavar="PEM",
        help="Authorities to trust beside the system's.",
    )
    @click.option(
        "--allow-loopback",
        envvar="WASMC_ALLOW_LOOPBACK",
        show_envvar=True,
        is_flag=True,
        help="Let other names than localhost lead to this host, as a tunnel and a line in /etc/hosts do.",
    )
    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        said = {name: given.pop(name) for name in Connection.__dataclass_fields__}
        command(connection=Connection(**said), **given)

    return wrapped


class ReferenceType(click.ParamType[Reference]):
    """A reference to an image on a command line."""

    name = "reference"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Reference:  # noqa: ARG002
        """Read it. Raises errors.Usage."""
        return value if isinstance(value, Reference) else Reference.parse(value)


class RegistryType(click.ParamType[Reference]):
    """A registry by its name alone, as a reference without a repository."""

    name = "registry"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Reference:  # noqa: ARG002
        """Read it. Raises errors.Usage."""
        if isinstance(value, Reference):
            return value
        bare = str(value).removeprefix("https://").removeprefix("http://").rstrip("/")
        found = Reference.parse(f"{bare}/any") if bare and "/" not in bare else None
        if found is None or found.repository not in ("any", "library/any"):
            raise errors.Usage(f"registry {value!r}: must be host[:port]")
        return Reference(found.registry, "")
