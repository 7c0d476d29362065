"""A local mesh in a process of its own, that does what another process asks for over a socket.

    python -m harness.meshes.local.serving SOCKET_FD

Outside of namespaces it makes them and starts itself again in there. What travels is pickled: both ends are this
program. ``remote`` is the other end.
"""

from __future__ import annotations

import itertools
import socket
import sys
from multiprocessing.connection import Connection
from typing import Any, Final

from harness import events
from harness.mesh import Broken, Load, Refused
from harness.meshes import local
from harness.meshes.local import namespaces
from harness.toolchain import binaries

EVENT: Final = "event"
UP: Final = "up"
RESULT: Final = "result"
LOAD: Final = "load"
STOP: Final = "stop"
RAISED: Final = {"Refused": Refused, "Broken": Broken}
"""What a mesh raises, by the name under which it travels."""


def main() -> int:
    """Enter namespaces, bring the mesh up, and serve until the other end is gone."""
    if not namespaces.inside():
        passed = socket.socket(fileno=int(sys.argv[1]))
        return namespaces.enter(
            [sys.executable, "-m", __spec__.name, *sys.argv[1:]], [passed], name="cluster"
        )
    connection = Connection(namespaces.listeners()[0].detach())

    def emit(event: events.Event) -> None:
        connection.send((EVENT, event))

    try:
        toolchain = binaries.ensure(local.PROGRAMS, emit)
        with local.Local(toolchain, emit) as mesh:
            connection.send((UP, (mesh.capabilities, dict(mesh.bindings))))
            _serve(mesh, connection)
    except (Refused, Broken) as error:
        connection.send((type(error).__name__, str(error)))
    return 0


def _serve(mesh: local.Local, connection: Connection) -> None:
    loads: dict[int, Load] = {}
    numbers = itertools.count()
    while True:
        try:
            name, arguments = connection.recv()
        except (EOFError, OSError):
            return
        try:
            connection.send(_answer(mesh, loads, numbers, (name, arguments)))
        except (Refused, Broken) as error:
            connection.send((type(error).__name__, str(error)))


def _answer(
    mesh: local.Local,
    loads: dict[int, Load],
    numbers: itertools.count[int],
    order: tuple[str, tuple[Any, ...]],
) -> tuple[str, Any]:
    name, arguments = order
    if name == STOP:
        return RESULT, loads[arguments[0]].stop()
    found = getattr(mesh, name)(*arguments)
    if name != LOAD:
        return RESULT, found
    number = next(numbers)
    loads[number] = found
    return LOAD, number


if __name__ == "__main__":
    sys.exit(main())
