"""A TCP connection that is far away: ``python -m bench.slow_link HOST PORT TARGET_PORT`` forwards to the target.

Bytes take half of ROUND_TRIP_SECONDS each way, the handshake one round trip, and everything that flows back shares one
line of BYTES_PER_SECOND: ten who fetch the same at once take ten times as long.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Final

ROUND_TRIP_SECONDS: Final = 0.05
BYTES_PER_SECOND: Final = 100e6 / 8
_CHUNK: Final = 16 * 1024


@dataclass
class _Line:
    """One direction's share of the line: when what is sent now will have arrived."""

    rate: float
    _free: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def due(self, size: int) -> float:
        with self._lock:
            self._free = max(time.monotonic(), self._free) + size / self.rate
            return self._free + ROUND_TRIP_SECONDS / 2


def main(host: str, port: int, target: int) -> None:
    """Forward until killed."""
    back = _Line(BYTES_PER_SECOND)
    with socket.create_server((host, port), backlog=128) as listener:
        print("ready", flush=True)
        while True:
            near, _ = listener.accept()
            far = socket.create_connection(("127.0.0.1", target))
            _pump(near, far, _Line(BYTES_PER_SECOND), ROUND_TRIP_SECONDS)
            _pump(far, near, back, 0.0)


def _pump(source: socket.socket, sink: socket.socket, line: _Line, first: float) -> None:
    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    waiting: queue.Queue[tuple[float, bytes]] = queue.Queue(maxsize=64)

    def read() -> None:
        late = first
        data = b"."
        while data:
            try:
                data = source.recv(_CHUNK)
            except OSError:
                data = b""
            waiting.put((line.due(len(data)) + late, data))
            late = 0.0

    def write() -> None:
        arrived = 0.0
        while True:
            due, data = waiting.get()
            arrived = max(arrived, due)  # what was sent first arrives first
            time.sleep(max(0.0, arrived - time.monotonic()))
            try:
                if not data:
                    break
                sink.sendall(data)
            except OSError:
                break
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
        while data:  # nobody listens any more: let the reader come to its end
            _, data = waiting.get()

    for work in (read, write):
        threading.Thread(target=work, daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
