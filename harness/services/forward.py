"""Passes TCP connections on: from sockets that were bound elsewhere to addresses that this process reaches.

A socket belongs to the network namespace it was bound in, whoever accepts on it: this is how the host's loopback
reaches into a mesh, without rights on either side.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

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
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="forward")
        self._servers: list[asyncio.Server] = []

    def __enter__(self) -> None:
        """Begin to accept."""
        self._thread.start()
        for route in self._routes:
            asyncio.run_coroutine_threadsafe(self._serve(route), self._loop).result()

    def __exit__(self, *_error: object) -> None:
        """Stop; connections under way are cut."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        for route in self._routes:
            route.listener.close()

    async def _serve(self, route: Route) -> None:
        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await _join(reader, writer, route.target)

        self._servers.append(await asyncio.start_server(accepted, sock=route.listener))

    async def _cut(self) -> None:
        for server in self._servers:
            server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(2):  # what was aborted is closed at the loop's next turns
            await asyncio.sleep(0)


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
