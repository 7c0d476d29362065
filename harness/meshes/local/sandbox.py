"""What makes a local mesh a sandbox: its API server, registries and applications on the host's loopback.

Outside, ``bind`` takes the ports; inside, ``routes`` says where each leads. The order of ``doors`` is the contract
between the two: sockets go in by number, without names.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.meshes.local import topology
from harness.meshes.local.bringup import Options
from harness.services import kubeconfig
from harness.services.forward import Route
from harness.services.pki import Pair

_LOOPBACK: Final = "127.0.0.1"
_BACKLOG: Final = 128


@dataclass(frozen=True, slots=True)
class Door:
    """A port of the host's loopback that leads into the mesh. ``port`` is the wished one, 0 for any."""

    name: str
    port: int


@dataclass(frozen=True, slots=True)
class Open:
    """A door with the port that it got."""

    name: str
    port: int
    listener: socket.socket


def doors() -> list[Door]:
    """All of them; the registries' ports are the same inside."""
    apps = [Door(f"details:{port}", port) for port in topology.DETAILS.ports.values()]
    return [Door("api", 0), Door("registry", 5000), Door("private registry", 5001), *apps]


def bind() -> list[socket.socket]:
    """Outside: take the ports, any free one where the wished one is taken."""
    return [_bind(door.port) for door in doors()]


def opened(listeners: Sequence[socket.socket]) -> dict[str, Open]:
    """Inside: the doors by name, from the sockets that came in."""
    pairs = zip(doors(), listeners, strict=True)
    return {door.name: Open(door.name, one.getsockname()[1], one) for door, one in pairs}


def options(found: dict[str, Open]) -> Options:
    """The mesh's own ports that must be the host's."""
    return Options(found["registry"].port, found["private registry"].port)


def routes(found: dict[str, Open]) -> list[Route]:
    """Where each door leads."""
    targets = {"api": (_LOOPBACK, topology.API_PORT)}
    for name in ("registry", "private registry"):
        targets[name] = (_LOOPBACK, found[name].port)
    for port in topology.DETAILS.ports.values():
        targets[f"details:{port}"] = (topology.DETAILS.address, port)
    return [Route(one.listener, targets[name]) for name, one in found.items()]


def write_kubeconfig(folder: Path, keys: Path, port: int) -> Path:
    """A kubeconfig with all rights for the host; it goes when the mesh does."""
    admin = Pair(keys / "harness-admin.crt", keys / "harness-admin.key")
    return kubeconfig.with_certificate(
        folder / "kubeconfig", f"https://{_LOOPBACK}:{port}", keys / "ca.crt", admin
    )


def _bind(port: int) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound = False
    if port:
        with contextlib.suppress(OSError):
            one.bind((_LOOPBACK, port))
            bound = True
    if not bound:
        one.bind((_LOOPBACK, 0))
    one.listen(_BACKLOG)
    return one
