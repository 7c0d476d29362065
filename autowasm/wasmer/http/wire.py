"""One connection: bytes in, bytes and parts of files out, and the time that each may take.

Files go from the page cache to the socket without passing through this process (sendfile), so that a slow reader
costs no memory. Time-outs are one number a connection, which the server looks at now and then: a timer for each
wait would cost more than the wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import Final

from autowasm.wasmer.http.caps import Caps
from autowasm.wasmer.http.messages import Span

_READ_BYTES: Final = 64 * 1024
_TURN_BYTES: Final = 2 * 1024 * 1024
"""What one connection may send before others have their turn: a reader as fast as memory never makes it wait."""


class Late(Exception):
    """The other side took longer than it may."""


class Wire:
    """A connected socket, which must not block. One task reads it, and one at a time writes."""

    def __init__(self, connection: socket.socket, peer: str, caps: Caps) -> None:
        self.peer = peer
        self.crowded = False
        self.draining = False
        self._socket = connection
        self._descriptor = connection.fileno()
        self._caps = caps
        self._loop = asyncio.get_running_loop()
        self._reading: asyncio.Future[None] | None = None
        self._writing: asyncio.Future[None] | None = None
        self._listens = False
        self._idle = False
        self._read_by = 0.0
        self._began = 0.0
        self._sent = 0

    async def receive(self, wait: float, *, idle: bool = False) -> bytes:
        """What came, nothing once the other side has ended; ``idle`` where nothing was begun and it may end.

        Raises:
            Late: nothing came within ``wait`` seconds, though something was begun.
            OSError: the connection broke.
        """
        self._idle = idle
        self._read_by = self._loop.time() + wait
        # Mostly the next request has not come yet when the last one is answered: to try would be in vain.
        wait_first = self._listens and not self.draining
        while True:
            if wait_first:
                try:
                    await self._readable()
                except Late:
                    if self._idle:
                        return b""
                    raise
            wait_first = True
            try:
                return self._socket.recv(_READ_BYTES)
            except BlockingIOError:
                if self.draining and self._idle:
                    return b""

    async def send(self, data: bytes, span: Span | None = None) -> None:
        """Send bytes and then a part of a file.

        Raises:
            Late: the other side reads slower than the least pace.
            OSError: the connection broke, or the file ended early.
        """
        self._began, self._sent = self._loop.time(), 0
        await self._all(self._bytes(data, socket.MSG_MORE if span else 0))
        if span:
            await self._all(self._file(span))

    def drain(self, *, idle: bool | None = None) -> None:
        """Begin nothing any more; an idle connection ends. ``idle`` where the reader's word is out of date."""
        self.draining = True
        self._idle = self._idle if idle is None else idle
        if self._idle and self._reading and not self._reading.done():
            self._reading.set_result(None)

    def look(self, now: float) -> None:
        """End what takes too long."""
        if self._reading and not self._reading.done() and now > self._read_by:
            self._reading.set_exception(Late())
        patience = self._caps.grace + self._sent / self._caps.least
        if self._writing and not self._writing.done() and now > self._began + patience:
            self._writing.set_exception(Late())

    def _bytes(self, data: bytes, flags: int) -> Callable[[], bool]:
        view = memoryview(data)

        def some() -> bool:
            nonlocal view
            count = self._socket.send(view, flags)
            self._sent += count
            view = view[count:]
            return not view

        return some

    def _file(self, span: Span) -> Callable[[], bool]:
        position, end = span.start, span.start + span.length

        def some() -> bool:
            nonlocal position
            turn = min(end, position + _TURN_BYTES)
            while position < turn:
                count = os.sendfile(self._descriptor, span.descriptor, position, turn - position)
                if count == 0:
                    raise OSError("the file is shorter than its length")
                position += count
                self._sent += count
            return position == end

        return some

    async def _all(self, some: Callable[[], bool]) -> None:
        """Call it until it says that all is sent, whenever there is room."""
        try:
            if some():
                return
        except BlockingIOError:
            pass
        done = self._writing = self._loop.create_future()

        def go_on() -> None:
            try:
                if not done.done() and some():
                    done.set_result(None)
            except BlockingIOError:
                return
            except OSError as fault:
                done.set_exception(fault)

        self._loop.add_writer(self._descriptor, go_on)
        try:
            await done
        finally:
            self._loop.remove_writer(self._descriptor)
            self._writing = None

    async def _readable(self) -> None:
        self._reading = self._loop.create_future()
        if not self._listens:
            self._loop.add_reader(self._descriptor, self._arrived)
            self._listens = True
        try:
            await self._reading
        finally:
            self._reading = None

    def _arrived(self) -> None:
        if self._reading is None:
            # Nobody reads now. It stays registered between requests, since mostly nothing comes too early.
            self._loop.remove_reader(self._descriptor)
            self._listens = False
        elif not self._reading.done():
            self._reading.set_result(None)

    async def finish(self) -> None:
        """End the own side, and hear the other out for a moment, so that it reads our last words before it is cut."""
        with contextlib.suppress(OSError, Late):
            self._socket.shutdown(socket.SHUT_WR)
            for _ in range(16):
                if not await self.receive(1.0):
                    return

    def close(self) -> None:
        """Close it."""
        if self._listens:
            self._loop.remove_reader(self._descriptor)
            self._listens = False
        self._socket.close()
