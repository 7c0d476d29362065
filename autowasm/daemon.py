"""What the programs that stay (wasmer, the controller) have in common: flags, where they listen, how they log."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import click

from autowasm import errors, limits

# What every record has; whatever else is on one was passed as ``extra``.
_BUILT_IN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}

_CHATTY: Final = ("httpx2", "httpcore2", "asyncio", "uvicorn.error")
"""They narrate every request and every step of starting up; what matters of both is logged by us, once."""


class Address(NamedTuple):
    """Where to listen; port 0 takes any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class AddressType(click.ParamType[Address]):
    """A flag's ``HOST:PORT`` (``[::]:8081`` for IPv6)."""

    name = "HOST:PORT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """The text as an address; a bad one is the caller's error."""
        if isinstance(value, Address):
            return value
        host, colon, port = str(value).rpartition(":")
        if not colon or not port.isascii() or not port.isdecimal() or int(port) > 65535:
            self.fail(f"must be HOST:PORT with a port up to 65535, found {value!r}", param, ctx)
        return Address(host.strip("[]"), int(port))


class SizeType(click.ParamType[int]):
    """A flag's number of bytes, as Kubernetes writes quantities: ``1536Mi``, ``2Gi``, ``2G``, ``1000000``."""

    name = "BYTES"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The text as a number; a bad one is the caller's error."""
        text = str(value)
        digits = text.rstrip("KMGTki")
        factor: int | None = _UNITS.get(text[len(digits) :])
        if factor is None or not digits.isascii() or not digits.isdecimal():
            self.fail(f"must be a number of bytes like 1536Mi, found {text!r}", param, ctx)
        return int(digits) * factor


_UNITS: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12} | {
    f"{letter}i": 1024**power for power, letter in enumerate("KMGT", 1)
}


Command = TypeVar("Command", bound=Callable[..., Any])


def data(prefix: str) -> Callable[[Command], Command]:
    """The flag for the folder of the store; ``prefix`` begins the name of its environment twin, as of the others."""
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        required=True,
        envvar=f"{prefix}_DATA",
        show_envvar=True,
        help="Folder of the store.",
    )


def quota(prefix: str, gives_way: str) -> Callable[[Command], Command]:
    """The flag for the size of the store; ``gives_way`` says what is dropped for it, and what is not."""
    return click.option(
        "--quota",
        type=SizeType(),
        default=f"{limits.STORE_BYTES >> 20}Mi",
        envvar=f"{prefix}_QUOTA",
        show_envvar=True,
        help=f"What the store holds at most; {gives_way}",
    )


def log_level(prefix: str) -> Callable[[Command], Command]:
    """The flag for what is logged."""
    return click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="info",
        envvar=f"{prefix}_LOG_LEVEL",
        show_envvar=True,
        help="Least level that is logged.",
    )


def base_url(text: str) -> str:
    """A flag's URL of a program, without the slash at its end; a bad one is the caller's error."""
    base = text.rstrip("/")
    scheme, _, host = base.partition("://")
    if scheme not in ("http", "https") or not host or set(host) & set("/?#@ "):
        raise click.BadParameter(f"must be http://HOST:PORT or https://HOST:PORT, found {text!r}")
    return base


def bind(address: Address, side: errors.Side) -> socket.socket:
    """Listen there.

    Raises:
        errors.Final: the system refuses the address, reason ListenFailed.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server(address, family=family, backlog=1024)
    except OSError as fault:
        # Python adds the address to what the system says; it is named already.
        why = (fault.strerror or str(fault)).partition(" (while")[0].lower()
        message = f"address {address}: cannot be listened on: {why}"
        raise errors.Final(message, side=side, reason="ListenFailed") from fault


def log_to_stderr(level: str) -> None:
    """One JSON object a line on stderr: a constant message and fields. ``level`` is a name of ``logging``."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for library in _CHATTY:
        logging.getLogger(library).setLevel(logging.WARNING)


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _BUILT_IN}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
