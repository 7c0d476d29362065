"""A TCP server that speaks just enough HTTP to misbehave on purpose: a script of what each request meets."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-version: v1\r\n\r\nok"
OLD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-version: v0\r\nconnection: close\r\n\r\nok"
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nfull"
CUT = b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nonly"

Act = Callable[[socket.socket], bool]
"""What a request meets; False ends the connection."""


def answer(data: bytes) -> Act:
    """Answer, and keep the connection unless the answer says otherwise."""

    def act(peer: socket.socket) -> bool:
        peer.sendall(data)
        return b"connection: close" not in data and data is not CUT

    return act


def reset(peer: socket.socket) -> bool:
    """End the connection by a reset, without an answer."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def silent_end(_peer: socket.socket) -> bool:
    """End the connection without an answer."""
    return False


@contextlib.contextmanager
def serving(acts: Sequence[Act]) -> Iterator[int]:
    """A server on loopback; requests meet the acts in order, the last one for ever."""
    left = list(acts)
    lock = threading.Lock()

    def following() -> Act:
        with lock:
            return left.pop(0) if len(left) > 1 else left[0]

    def talk(peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError):
            while _read_request(peer):
                if not following()(peer):
                    return

    def accept(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = server.accept()
                threading.Thread(target=talk, args=(peer,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, args=(server,), daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def _read_request(peer: socket.socket) -> bool:
    data = b""
    while b"\r\n\r\n" not in data:
        part = peer.recv(65536)
        if not part:
            return False
        data += part
    return True
