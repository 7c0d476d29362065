"""Takes connections, as many as there may be, and ends them in time.

Beyond the bound on all connections some spare ones are taken, marked as crowded: probes are still answered there,
so that a crowd does not look like an illness. Draining: nothing new is taken, idle connections end, and what is
under way is finished within the grace.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import socket
from collections.abc import Callable

from autowasm.wasmer.http import one, two
from autowasm.wasmer.http.caps import Caps
from autowasm.wasmer.http.messages import Handler
from autowasm.wasmer.http.wire import Late, Wire

_log = logging.getLogger(__name__)

_ACCEPTS = 64
_LOOK_SECONDS = 0.5
_NO_DESCRIPTORS_SECONDS = 0.1


def _untold(reason: str) -> None:
    del reason


class Server:
    """Serves one listening socket.

    Args:
        handler: answers a request.
        caps: the bounds.
        refused: told why a connection was not taken or was cut: "crowded" or "slow".
    """

    def __init__(self, handler: Handler, caps: Caps, refused: Callable[[str], None] = _untold) -> None:
        self._handler = handler
        self._caps = caps
        self._refused = refused
        self._wires: dict[Wire, asyncio.Task[None]] = {}
        self._by_address: collections.Counter[str] = collections.Counter()

    def __len__(self) -> int:
        """How many connections there are."""
        return len(self._wires)

    async def run(self, listener: socket.socket, stop: asyncio.Event, grace: float) -> None:
        """Serve until ``stop``, then finish what is under way within ``grace`` seconds. Closes the listener."""
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        self._listen(listener)
        looking = asyncio.create_task(self._look())
        try:
            await stop.wait()
            loop.remove_reader(listener)
            self._accept(listener)  # what the system has taken already is answered too
            loop.remove_reader(listener)
            listener.close()
            for wire in list(self._wires):
                wire.drain()
            if self._wires:
                await asyncio.wait(self._wires.values(), timeout=grace)
        finally:
            looking.cancel()
            for task in self._wires.values():
                task.cancel()
            await asyncio.gather(looking, *self._wires.values(), return_exceptions=True)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = asyncio.get_running_loop().time()
            for wire in list(self._wires):
                wire.look(now)

    def _listen(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTS):
            try:
                connection, address = listener.accept()
            except (BlockingIOError, ConnectionError):
                return
            except OSError as fault:
                # No descriptors are left: more will be once a connection ends.
                _log.warning("connection not taken", extra={"error": str(fault)})
                loop = asyncio.get_running_loop()
                loop.remove_reader(listener)
                loop.call_later(_NO_DESCRIPTORS_SECONDS, self._listen, listener)
                return
            self._take(connection, address[0].removeprefix("::ffff:").partition("%")[0])

    def _take(self, connection: socket.socket, peer: str) -> None:
        caps = self._caps
        if self._by_address[peer] >= caps.per_address or len(self) >= caps.connections + caps.spare:
            self._refused("crowded")
            connection.close()
            return
        connection.setblocking(False)
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = Wire(connection, peer, caps)
        wire.crowded = len(self) >= caps.connections
        self._by_address[peer] += 1
        task = asyncio.create_task(self._serve(wire))
        self._wires[wire] = task
        task.add_done_callback(lambda _: self._gone(wire))

    def _gone(self, wire: Wire) -> None:
        wire.close()
        del self._wires[wire]
        self._by_address[wire.peer] -= 1
        if not self._by_address[wire.peer]:
            del self._by_address[wire.peer]

    async def _serve(self, wire: Wire) -> None:
        try:
            first = await self._first(wire)
            version = two if first.startswith(two.PREFACE) else one
            await version.serve(wire, first, self._handler, self._caps)
        except Late:
            self._refused("slow")
        except OSError:
            pass  # the other side is gone
        except Exception:
            _log.exception("connection failed")

    async def _first(self, wire: Wire) -> bytes:
        """What comes first, until it is known which version it is."""
        first = await wire.receive(self._caps.idle, idle=True)
        while first and len(first) < len(two.PREFACE) and two.PREFACE.startswith(first):
            more = await wire.receive(self._caps.head)
            if not more:
                break
            first += more
        return first
