"""A port that is far away: what comes in by another interface arrives late, and only so many bytes a second.

The kernels of many machines lack netem, so this is a proxy of the harness: connections to the port are redirected to
it, and it passes them on. Connections that were open before stay as they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import time
from dataclasses import dataclass
from typing import Final

from harness.services import nft
from harness.services.background import Background
from harness.services.netns import Namespace

_CHUNK: Final = 16 * 1024
_NUMBERS: Final = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Distance:
    """Seconds that each piece takes on its way, and bytes a second in each direction (0: no limit)."""

    delay: float = 0.0
    rate: float = 0.0


class Slow:
    """A slow way to a port of a namespace, from the moment it is made until ``close``.

    Raises:
        OSError: the kernel refuses.
    """

    def __init__(self, namespace: Namespace, port: int, distance: Distance) -> None:
        self._namespace = namespace
        self._distance = distance
        self._target = ("127.0.0.1", port)
        self._table = f"slow-{next(_NUMBERS)}"
        self._listener = namespace.call(_listener)
        self._background = Background(self._table)
        self._background.serve(asyncio.start_server(self._accepted, sock=self._listener))
        rule = [*nft.not_from("lo"), *nft.tcp(), *nft.port("destination", port)]
        rule += nft.redirect(self._listener.getsockname()[1])
        chain = nft.Chain("prerouting", {**nft.PREROUTING, "priority": -110}, [rule])
        namespace.call(nft.add, self._table, [chain])

    def close(self) -> None:
        """The way is as it was; connections that took the slow one are cut."""
        self._background.cut()
        # Not before: with its last rule the kernel stops to translate, and ends of connections would reach nobody.
        self._namespace.call(nft.remove, self._table)
        self._background.end()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            far = await self._background.loop.run_in_executor(
                None, self._namespace.connect, self._target, 5.0
            )
            far.setblocking(False)
            far_reader, far_writer = await asyncio.open_connection(sock=far)
            ends.append(far_writer)
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        except (OSError, asyncio.CancelledError):
            for end in ends:
                end.transport.abort()
            return
        for end in ends:
            end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one direction on: each piece when its time has come, while later ones are on their way already."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=256)
        arriving = asyncio.create_task(self._deliver(under_way, writer))
        free_at = time.monotonic()
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                free_at = max(free_at, time.monotonic())
                free_at += len(data) / self._distance.rate if self._distance.rate else 0.0
                await under_way.put((free_at + self._distance.delay, data))
        await under_way.put((free_at + self._distance.delay, b""))
        await arriving

    async def _deliver(
        self, under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if not data:
                    writer.write_eof()
                    return
                writer.write(data)
                await writer.drain()


def _listener() -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    one.bind(("0.0.0.0", 0))
    one.listen(128)
    return one
