"""A client that sends what a script says, piece by piece, and reads the answer as it is on the wire."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from harness.fidelity import http1, text

_POLL: Final = 0.002


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. ``outcome`` is "response", "timeout", "reset" (in the middle) or "closed" (before)."""

    outcome: str
    message: http1.Message | None = None

    def to_json(self) -> dict[str, Any]:
        """As it stands in an answer."""
        message = self.message
        return {
            "outcome": self.outcome,
            "status": int(message.first.split(" ")[1]) if message else None,
            "headers": text.pairs(message.headers) if message else [],
            "body": text.encode(message.body) if message else "",
            "trailers": text.pairs(message.trailers or ()) if message else [],
        }


def pieces(request: Mapping[str, Any]) -> list[bytes]:
    """A request in the pieces that it is sent in; "host" is added where the script names none."""
    headers = [tuple(pair) for pair in request.get("headers") or ()]
    if not http1.find(headers, "host"):
        headers.insert(0, ("host", "example.com"))
    body = request.get("body")
    chunks = None if body is None else [text.decode(each) for each in body]
    first = f"{request.get('method', 'GET')} {request.get('path', '/')} HTTP/1.1"
    return http1.pieces(first, headers, chunks, list(request.get("trailers") or ()))


def send(
    address: tuple[str, int],
    request: Mapping[str, Any],
    timeout: float,
    read: Callable[[], int],
    over: Callable[[], bool] = lambda: True,
) -> Reply:
    """Send a request over a connection of its own; the next piece goes when the one before has been read.

    ``read`` says how many bytes the proxy has read from its clients so far; ``timeout`` is in seconds. ``over`` says
    whether the proxy is done with the request. Some answers have no body for their client, and the proxy may still
    have one to lead through its filters, one of which made another method or status of it: the client stays for that.
    """
    with socket.create_connection(address, timeout=timeout) as connection:
        end = time.monotonic() + timeout
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            _send_all(connection, pieces(request), read, end)  # it may answer early, and close
        method = str(request.get("method", "GET"))
        reply = _answer(connection, method, end)
        bodiless = reply.message is not None and http1.has_no_body(reply.message.first, method)
        while bodiless and not over() and time.monotonic() < end:
            time.sleep(_POLL)
        return reply


def _send_all(connection: socket.socket, parts: list[bytes], read: Callable[[], int], end: float) -> None:
    sent = read()
    for number, part in enumerate(parts):
        connection.sendall(part)
        sent += len(part)
        if number == len(parts) - 1:
            return
        while not _taken(read, sent) and not _answered(connection) and time.monotonic() < end:
            time.sleep(_POLL)


def _taken(read: Callable[[], int], sent: int) -> bool:
    """Whether all has been read, and worked on: bytes are counted a moment before that, so it is asked twice."""
    if read() < sent:
        return False
    time.sleep(_POLL)
    return read() >= sent


def _answered(connection: socket.socket) -> bool:
    return bool(select.select([connection], [], [], 0)[0])


def _answer(connection: socket.socket, method: str, end: float) -> Reply:
    connection.settimeout(max(0.001, end - time.monotonic()))
    try:
        with contextlib.closing(connection.makefile("rb")) as stream:
            message = http1.read(stream, method)
    except TimeoutError:
        return Reply("timeout")
    except (http1.Cut, ConnectionResetError, ValueError):
        return Reply("reset")
    return Reply("response", message) if message else Reply("closed")
