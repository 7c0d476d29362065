"""Scripted upstreams: a port for each cluster, answers by rules, and a record of what arrived.

A rule answers what its path prefix and its headers match; the first one that does, wins. Without any, the
answer is 404. A request that did not arrive whole is not recorded.
"""

from __future__ import annotations

import contextlib
import http
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Self

from harness.fidelity import http1, text

Rule = Mapping[str, Any]
Read = Callable[[str], int]
"""How many bytes the proxy has read from a cluster so far."""
_PACE_SECONDS: Final = 0.3
"""How long a piece waits for the one before to be read: a proxy that wants no more of an answer never reads it."""
_POLL: Final = 0.002
_NO_RULE: Final[Rule] = {"status": 404}


class Upstreams:
    """All the clusters of a script. ``taken`` hands over what arrived since it was last called."""

    def __init__(self, clusters: Mapping[str, Sequence[Rule]]) -> None:
        """Listen."""
        self._clusters = {name: _Cluster(name, rules, self._arrived) for name, rules in clusters.items()}
        self._records: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        for cluster in self._clusters.values():
            cluster.close()

    def ports(self) -> dict[str, int]:
        """Where each cluster listens, on the loopback."""
        return {name: cluster.port for name, cluster in self._clusters.items()}

    def paced(self, read: Read) -> None:
        """From now on send each piece of an answer when the piece before has been read."""
        for cluster in self._clusters.values():
            cluster.read = read

    def taken(self) -> list[dict[str, Any]]:
        """What arrived, in the order of arrival."""
        with self._lock:
            records, self._records = self._records, []
        return records

    def _arrived(self, record: dict[str, Any]) -> None:
        with self._lock:
            self._records.append(record)


class _Cluster:
    """One cluster: a thread that accepts, and one for each connection."""

    def __init__(self, name: str, rules: Sequence[Rule], arrived: Callable[[dict[str, Any]], None]) -> None:
        self._name, self._rules, self._arrived = name, rules, arrived
        self.read: Read = lambda _: 1 << 62
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self._closing.set()
        for each in (self._listener, *self._connections):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, http1.Cut, ValueError), connection.makefile("rb") as stream:
            while (request := http1.read(stream)) is not None:
                self._arrived(_record(self._name, request))
                self._answer(connection, request)

    def _answer(self, connection: socket.socket, request: http1.Message) -> None:
        rule = next((rule for rule in self._rules if _matches(rule, request)), _NO_RULE)
        if self._closing.wait(rule.get("delay_ms", 0) / 1000):
            return
        *pieces, last = _pieces(rule, request.first.split(" ")[0])
        wanted = self.read(self._name) if pieces else 0
        for piece in pieces:
            connection.sendall(piece)
            wanted += len(piece)
            self._wait_read(wanted)
        connection.sendall(last)

    def _wait_read(self, wanted: int) -> None:
        end = time.monotonic() + _PACE_SECONDS
        while self.read(self._name) < wanted and time.monotonic() < end:
            self._closing.wait(_POLL)


def _matches(rule: Rule, request: http1.Message) -> bool:
    match = rule.get("match") or {}
    path = request.first.split(" ")[1]
    wanted = match.get("headers") or {}
    items = wanted.items() if isinstance(wanted, Mapping) else wanted
    return path.startswith(match.get("path_prefix") or "") and all(
        request.value(name.lower()) == value for name, value in items
    )


def _record(cluster: str, request: http1.Message) -> dict[str, Any]:
    method, path, _ = request.first.split(" ", 2)
    return {
        "cluster": cluster,
        "method": method,
        "path": path,
        "headers": text.pairs(request.headers),
        "body": text.encode(request.body),
        "trailers": text.pairs(request.trailers or ()),
    }


def _pieces(rule: Rule, method: str) -> list[bytes]:
    status = int(rule.get("status", 200))
    first = f"HTTP/1.1 {status} {_reason(status)}"
    body = [text.decode(each) for each in rule.get("body") or ()]
    headers = [tuple(pair) for pair in rule.get("headers") or ()]
    trailers = list(rule.get("trailers") or ())
    if method == "HEAD" or status in {204, 304}:
        return [http1.head(first, headers)]
    if not body and not trailers:
        plain = headers if http1.find(headers, "content-length") else [*headers, ("content-length", "0")]
        return [http1.head(first, plain)]
    return http1.pieces(first, headers, body, trailers)


def _reason(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
