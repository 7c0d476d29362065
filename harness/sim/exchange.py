"""A request through a chain of plugins to an application, and back, as Envoy's connection manager has it.

Requests pass the chain in order, responses in reverse. A body comes whole, in one piece. A plugin that pauses
and never goes on is answered by nobody: the client's time-out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autowasm.abi.tables import Action, BufferType, MapType
from harness.sim import host, maps
from harness.sim.contexts import LocalResponse, Stream

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response: pseudo headers (":path", ":status") first, names in lower case."""

    headers: Headers
    body: bytes = b""

    def value(self, name: str) -> str:
        """The first value of a header, empty where it is absent."""
        return next((value for key, value in self.headers if key == name), "")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client gets, None for no answer in time; ``reached`` is what the application got."""

    response: Message | None
    reached: Message | None


class _Stalled(Exception):
    """A plugin paused, and nothing will make it go on."""


class _Answered(Exception):
    """A plugin answered by itself."""

    def __init__(self, local: LocalResponse) -> None:
        super().__init__(local.status)
        self.local = local


@dataclass(frozen=True, slots=True)
class _Leg:
    """One direction: which map, which buffer, which callbacks."""

    map: MapType
    buffer: BufferType
    on_headers: str
    on_body: str


_REQUEST = _Leg(
    MapType.HTTP_REQUEST_HEADERS,
    BufferType.HTTP_REQUEST_BODY,
    "proxy_on_request_headers",
    "proxy_on_request_body",
)
_RESPONSE = _Leg(
    MapType.HTTP_RESPONSE_HEADERS,
    BufferType.HTTP_RESPONSE_BODY,
    "proxy_on_response_headers",
    "proxy_on_response_body",
)
_FAIL_CLOSED = Message(((":status", "503"),))


def run(plugins: Sequence[host.Host], request: Message, application: Callable[[Message], Message]) -> Answer:
    """Send a request. It never raises for what a module does."""
    opened: list[tuple[host.Host, Stream]] = []
    reached: Message | None = None
    try:
        for plugin in plugins:
            stream = plugin.open()
            opened.append((plugin, stream))
            request = _pass(plugin, stream, _REQUEST, request)
        reached = request
        response = application(request)
    except _Answered as own:
        response = _local(own.local)
    except host.Failed:
        return Answer(_FAIL_CLOSED, None)
    except _Stalled:
        return Answer(None, None)
    return Answer(_back(opened, response), reached)


def _back(opened: list[tuple[host.Host, Stream]], response: Message) -> Message | None:
    try:
        for plugin, stream in reversed(opened):
            stream.local = None
            response = _pass(plugin, stream, _RESPONSE, response)
        for plugin, stream in opened:
            plugin.close(stream)
    except _Answered as own:
        return _local(own.local)
    except host.Failed:
        return _FAIL_CLOSED
    except _Stalled:
        return None
    return response


def _pass(plugin: host.Host, stream: Stream, leg: _Leg, message: Message) -> Message:
    headers, body = maps.of(message.headers), bytearray(message.body)
    stream.maps[leg.map] = headers
    size = (len(headers.pairs),) if plugin.state.abi == "0.1.0" else (len(headers.pairs), int(not body))
    paused = _step(plugin, stream, leg.on_headers, *size)
    if body:
        stream.buffers[leg.buffer] = body
        paused = _step(plugin, stream, leg.on_body, len(body), 1)
    if paused:
        raise _Stalled
    return Message(tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in headers.pairs), bytes(body))


def _step(plugin: host.Host, stream: Stream, name: str, *arguments: int) -> bool:
    paused = plugin.call(stream, name, *arguments) == Action.PAUSE
    if stream.local is not None:
        raise _Answered(stream.local)
    return paused


def _local(own: LocalResponse) -> Message:
    more = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in own.headers]
    text = [("content-length", str(len(own.body))), ("content-type", "text/plain")] if own.body else []
    return Message(((":status", str(own.status)), *text, *more), own.body)
