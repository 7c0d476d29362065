"""Which engines could there be here, and which of them answers? Nothing is started.

The order is the docker command's own: DOCKER_HOST, then its current context, then the sockets that packages make. One
that the user has named is the only one that is asked: a run must not land on another engine than was meant.
"""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass
from typing import Final

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

_SECONDS: Final = 5.0
_SYSTEM: Final = "unix:///var/run/docker.sock"
_GROUP: Final = "sudo usermod -aG docker $USER, then log in again; or run as root"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an engine may be: its address, and how the user has named it (empty: it is a usual place)."""

    host: str
    named: str = ""


@dataclass(frozen=True, slots=True)
class Silence:
    """An engine that does not answer: why, and what puts it right where that is known.

    ``there`` is whether an engine listens at the place all the same.
    """

    host: str
    why: str
    remedy: str = ""
    there: bool = False

    def __str__(self) -> str:
        return f"{self.host}: {self.why}"


def places() -> list[Place]:
    """Where to ask, in this order."""
    if named := os.environ.get("DOCKER_HOST"):
        return [Place(named, "DOCKER_HOST")]
    context = _context()
    if context:
        return [context]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    rootless = [Place(f"unix://{runtime}/docker.sock")] if runtime.startswith("/") else []
    return [Place(_SYSTEM), *rootless]


def ask(host: str) -> Silence | None:
    """Ask the engine at an address for a sign of life; None where it gave one."""
    if host.startswith("unix://"):
        silent = _knock(host)
        if silent:
            return silent
    try:
        client = docker.from_env(environment={**os.environ, "DOCKER_HOST": host}, timeout=_SECONDS)
        try:
            client.ping()
        finally:
            client.close()
    except (DockerException, RequestException, OSError, ValueError) as error:
        return Silence(host, f"no answer within {_SECONDS:.0f} s or a wrong one: {error}", there=True)
    return None


def _knock(host: str) -> Silence | None:
    """Is there somebody behind a socket, whom this user may speak to? The client's own message does not say."""
    path = host.removeprefix("unix://")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.settimeout(_SECONDS)
        try:
            one.connect(path)
        except PermissionError:
            return Silence(host, "this user may not use the socket", _GROUP, there=True)
        except OSError as error:
            absent = error.errno in {errno.ENOENT, errno.ENOTDIR}
            return Silence(
                host, "no such socket" if absent else f"nobody listens ({error.strerror or error})"
            )
    return None


def _context() -> Place | None:
    """The docker command's current context, where it is not the usual place."""
    try:
        context = docker.ContextAPI.get_current_context()
    except Exception:
        return None
    if context is None or context.Name == "default" or not context.Host:
        return None
    return Place(str(context.Host), f"the docker context {context.Name}")
