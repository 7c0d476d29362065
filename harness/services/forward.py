"""Passes TCP connections on: from sockets that were bound elsewhere to addresses that this process reaches.

A socket belongs to the network namespace it was bound in, whoever accepts on it: this is how the host's loopback
reaches into a mesh, without rights on either side.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from harness.services.background import Background

_CHUNK: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Route:
    """A bound socket, and where what it accepts is to go."""

    listener: socket.socket
    target: tuple[str, int]


class Forwarder:
    """Forwards in a thread of its own, inside of a ``with``."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = routes
        self._background: Background | None = None

    def __enter__(self) -> None:
        """Begin to accept."""
        self._background = Background("forward")
        for route in self._routes:
            self._background.serve(_serve(route))

    def __exit__(self, *_error: object) -> None:
        """Stop; connections under way are cut."""
        assert self._background
        self._background.cut()
        self._background.end()
        for route in self._routes:
            route.listener.close()


async def _serve(route: Route) -> asyncio.Server:
    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _join(reader, writer, route.target)

    return await asyncio.start_server(accepted, sock=route.listener)


async def _join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: tuple[str, int]) -> None:
    ends = [writer]
    try:
        far_reader, far_writer = await asyncio.open_connection(*target)
        ends.append(far_writer)
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
    except (OSError, asyncio.CancelledError) as error:
        # Nobody there: the caller sees its connection end, as it would a closed port's. Or all are cut.
        for end in ends:
            end.transport.abort()
        if isinstance(error, asyncio.CancelledError):
            raise
        return
    for end in ends:
        end.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one direction; its end is passed on as a half-close, a reset ends it."""
    with contextlib.suppress(ConnectionError, OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
