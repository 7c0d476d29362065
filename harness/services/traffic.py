"""HTTP requests as a workload sends them: real sockets, one plain HTTP/1.1 client.

Where the sockets are made is the caller's: in a network namespace, or (``dial``) in a container that has one of its
own. Only the standard library is used: the same code runs in a pod.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from harness.mesh import RequestWish
from harness.observation import Response

Dial = Callable[[tuple[str, int], float], socket.socket]
"""Opens a TCP connection to an address; the seconds hold for the socket's whole life. Raises OSError."""

FAULTS = (OSError, http.client.HTTPException)
"""What a connection raises for whatever the other side does; ValueError never means that."""


def dial(address: tuple[str, int], timeout: float) -> socket.socket:
    """A connection from where this process is.

    Raises:
        OSError: as socket.create_connection does.
    """
    connection = socket.create_connection(address, timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class Connection(http.client.HTTPConnection):
    """An HTTP connection whose socket comes from a ``Dial``.

    ``answers`` counts the whole answers since it was opened; ``answering`` tells whether one has begun to come.
    """

    def __init__(self, dial: Dial, address: tuple[str, int], timeout: float) -> None:
        super().__init__(*address, timeout=timeout)
        self._dial = dial
        self._address = address
        self._timeout = timeout
        self.answers = 0
        self.answering = False

    def connect(self) -> None:
        """Open the socket."""
        self.sock = self._dial(self._address, self._timeout)
        self.answers = 0


def once(dial: Dial, address: str, wish: RequestWish) -> Response:
    """One request on a connection of its own. What goes wrong is in the response."""
    connection = Connection(dial, (address, wish.port), wish.timeout)
    began = time.monotonic()
    try:
        return exchange(connection, wish)
    except FAULTS as error:
        return Response(None, error=words(error), seconds=time.monotonic() - began)
    finally:
        connection.close()


def exchange(connection: Connection, wish: RequestWish) -> Response:
    """One request on a connection, which stays open if the other side leaves it open.

    Raises:
        OSError, http.client.HTTPException: there was no whole answer.
    """
    began = time.monotonic()
    connection.answering = False
    given = {name.lower() for name, _value in wish.headers}
    connection.putrequest(wish.method, wish.path, skip_host="host" in given, skip_accept_encoding=True)
    for name, value in wish.headers:
        connection.putheader(name, value)
    if wish.body and "content-length" not in given:
        connection.putheader("content-length", str(len(wish.body)))
    connection.endheaders(wish.body or None)
    answer = connection.getresponse()
    connection.answering = True
    body = answer.read()
    connection.answers += 1
    headers = tuple((name.lower(), value) for name, value in answer.msg.items())
    seconds = time.monotonic() - began
    return Response(answer.status, headers, body, _application(headers, body), seconds=seconds)


def words(error: BaseException) -> str:
    """An error of a connection, in words."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _application(headers: tuple[tuple[str, str], ...], body: bytes) -> Mapping[str, Any] | None:
    """What the application says reached it; None where the answer is not its own."""
    if not any(name == "content-type" and value.startswith("application/json") for name, value in headers):
        return None
    try:
        told = json.loads(body)
    except ValueError:
        return None
    request = told.get("request") if isinstance(told, dict) else None
    return request if isinstance(request, dict) else None
