"""A TCP forwarder to a server on this host, which does something once so many bytes went through it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["up", "down"]


@dataclass
class Forwarder:
    """``then`` is called, once, when ``after`` bytes went in a direction.

    All connections are cut before it, and until it returns nobody is let in; ``turned_away`` is set when somebody
    was not let in, be it so or because the server is down.
    """

    port: int
    direction: Direction
    after: int
    then: Callable[[], None]
    host: str = ""
    gone: dict[Direction, int] = field(default_factory=lambda: {"up": 0, "down": 0})
    done: bool = False
    turned_away: threading.Event = field(default_factory=threading.Event)
    _shut: bool = False
    _open: list[socket.socket] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, listener: socket.socket) -> None:
        """Take connections until the listener is shut down."""
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if not self._let_in(client):
                client.close()
                self.turned_away.set()

    def _let_in(self, client: socket.socket) -> bool:
        with self._lock:
            if self._shut:
                return False
            try:
                server = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                return False  # the server is down: so is its door
            self._open += [client, server]
        for source, goal, way in ((client, server, "up"), (server, client, "down")):
            threading.Thread(target=self._pump, args=(source, goal, way), daemon=True).start()
        return True

    def _pump(self, source: socket.socket, goal: socket.socket, way: Direction) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self._reached(way, len(data)):
                    self.then()
                    self._shut = False
                    return
                goal.sendall(data)
        for side in (source, goal):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def _reached(self, way: Direction, size: int) -> bool:
        with self._lock:
            self.gone[way] += size
            if self.done or way != self.direction or self.gone[way] < self.after:
                return False
            self.done = self._shut = True
            self.cut()
            return True

    def cut(self) -> None:
        """End every connection at once."""
        for side in self._open:
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()
        self._open.clear()


@contextlib.contextmanager
def forwarding(port: int, direction: Direction, after: int, then: Callable[[], None]) -> Iterator[Forwarder]:
    """Forward from a free loopback port until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        forwarder = Forwarder(port, direction, after, then)
        forwarder.host = f"127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=forwarder.serve, args=(listener,))
        thread.start()
        try:
            yield forwarder
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            forwarder.cut()
