"""Host functions for a stream's headers, bodies and answers; a root context has none of them.

Source: proxy-wasm-cpp-host, src/exports.cc for checks and their order, and Envoy's Context (getMap,
getConstMap, getBuffer, sendLocalResponse, continueStream). Statuses were measured on Envoy 1.40.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from autowasm.abi import answers, stream
from autowasm.abi.outcome import End
from autowasm.abi.stream import Pairs
from autowasm.abi.tables import BufferType, MapType, Status, StreamType
from autowasm.abi.world import World

_STREAMS: Final = (StreamType.HTTP_REQUEST, StreamType.HTTP_RESPONSE)
_ABSENT: Final = (BufferType.PLUGIN_CONFIGURATION, BufferType.HTTP_CALL_RESPONSE_BODY)
"""Buffers that are not there; the others are there and empty."""

# --------------------------------------------------------------------------- headers


def _map(world: World, kind: int) -> Pairs | None:
    pairs = world.stream.maps.get(MapType(kind)) if world.stream is not None else None
    world.spend(len(pairs or ()))
    return pairs


def _shown(world: World, kind: int) -> Pairs | None:
    """A map that is read: an access log has some that cannot be changed."""
    pairs = world.stream.logged.get(MapType(kind)) if world.stream is not None else None
    return _map(world, kind) if pairs is None else pairs


def add_header_map_value(world: World, kind: int, *rest: int) -> int:
    """One more value."""
    return _change(world, kind, rest, _add)


def replace_header_map_value(world: World, kind: int, *rest: int) -> int:
    """One value instead of all."""
    return _change(world, kind, rest, _replace)


def _add(pairs: Pairs, name: bytes, value: bytes) -> None:
    pairs.append((name, value))


def _replace(pairs: Pairs, name: bytes, value: bytes) -> None:
    at = next((i for i, (key, _) in enumerate(pairs) if key == name), len(pairs))
    pairs[:] = [*pairs[:at], (name, value), *(pair for pair in pairs[at:] if pair[0] != name)]


def _change(
    world: World, kind: int, rest: tuple[int, ...], change: Callable[[Pairs, bytes, bytes], None]
) -> int:
    if kind > max(MapType):
        return Status.BAD_ARGUMENT
    name, value = world.read(*rest[:2]), world.read(*rest[2:4])
    if name is None or value is None:
        return Status.INVALID_MEMORY_ACCESS
    pairs = _map(world, kind)
    if pairs is None:
        return Status.BAD_ARGUMENT
    change(pairs, name.lower(), value)
    return Status.OK


def remove_header_map_value(world: World, kind: int, pointer: int, size: int) -> int:
    """No value any more."""
    if kind > max(MapType):
        return Status.BAD_ARGUMENT
    name = world.read(pointer, size)
    if name is None:
        return Status.INVALID_MEMORY_ACCESS
    pairs = _map(world, kind)
    if pairs is None:
        return Status.BAD_ARGUMENT
    pairs[:] = [pair for pair in pairs if pair[0] != name.lower()]
    return Status.OK


def get_header_map_value(world: World, kind: int, pointer: int, size: int, *out: int) -> int:
    """The first value; one that is not there is empty in ABI 0.1.0 and not found later."""
    if kind > max(MapType):
        return Status.BAD_ARGUMENT
    name = world.read(pointer, size)
    if name is None:
        return Status.INVALID_MEMORY_ACCESS
    pairs = _shown(world, kind)
    if pairs is None:
        return Status.BAD_ARGUMENT
    found = stream.value(pairs, name)
    if found is None and world.abi != "0.1.0":
        return Status.NOT_FOUND
    return answers.give(world, found or b"", *out)


def get_header_map_pairs(world: World, kind: int, *out: int) -> int:
    """All headers; where there is no map, there are none (measured)."""
    if kind > max(MapType):
        return Status.BAD_ARGUMENT
    return answers.give(world, stream.serialise(_shown(world, kind) or []), *out)


def set_header_map_pairs(world: World, kind: int, pointer: int, size: int) -> int:
    """Other headers."""
    if kind > max(MapType):
        return Status.BAD_ARGUMENT
    data = world.read(pointer, size)
    if data is None:
        return Status.INVALID_MEMORY_ACCESS
    pairs = _map(world, kind)
    if pairs is None:
        return Status.BAD_ARGUMENT
    pairs[:] = [(name.lower(), value) for name, value in stream.parse(data)]
    world.spend(len(pairs))
    return Status.OK


def get_header_map_size(world: World, kind: int, at: int) -> int:
    """The bytes of names and values."""
    pairs = _map(world, kind) if kind <= max(MapType) else None
    if pairs is None:
        return Status.BAD_ARGUMENT
    return answers.put(world, at, sum(len(name) + len(value) for name, value in pairs))


# --------------------------------------------------------------------------- bodies and configurations


def get_buffer_bytes(world: World, kind: int, start: int, size: int, *out: int) -> int:
    """A part of a buffer, as far as it goes."""
    data = _buffer(world, kind)
    if isinstance(data, int):
        return data
    return answers.give(world, bytes(data[start : start + size]), *out)


def get_buffer_status(world: World, kind: int, size_at: int, flags_at: int) -> int:
    """The length of a buffer."""
    data = _buffer(world, kind)
    if isinstance(data, int):
        return data
    return answers.put(world, size_at, len(data)) or answers.put(world, flags_at, 0)


def set_buffer_bytes(world: World, kind: int, start: int, size: int, *rest: int) -> int:
    """Replace the beginning of a body, or append to it; configurations cannot be changed."""
    data = _buffer(world, kind)
    if isinstance(data, int):
        return data
    given = world.read(*rest)
    if given is None:
        return Status.INVALID_MEMORY_ACCESS
    if not isinstance(data, bytearray) or 0 < start < len(data):
        return Status.BAD_ARGUMENT
    if start == 0:
        data[: min(size, len(data))] = given
    else:
        data += given
    return Status.OK


def _buffer(world: World, kind: int) -> bytes | bytearray | Status:
    if kind > max(BufferType):
        return Status.BAD_ARGUMENT
    if kind == BufferType.VM_CONFIGURATION:
        return world.configuration.vm
    if kind == BufferType.PLUGIN_CONFIGURATION and world.configuring:
        return world.configuration.plugin
    if world.stream is not None and kind in world.stream.bodies:
        return world.stream.bodies[BufferType(kind)]
    return Status.NOT_FOUND if kind in _ABSENT else b""


# --------------------------------------------------------------------------- answers and the flow


def send_local_response(world: World, status: int, *rest: int) -> int:
    """Answer in place of the application; at the start there is nobody to answer."""
    parts = [world.read(*rest[i : i + 2]) for i in (0, 2, 4)]
    if any(part is None for part in parts):
        return Status.INVALID_MEMORY_ACCESS
    _touch(world, "proxy_send_local_response")
    if world.stream is not None and world.stream.local is None:
        headers = [(name.lower(), value) for name, value in stream.parse(parts[2] or b"")]
        world.spend(len(headers))
        world.stream.local = ([(b":status", str(status).encode()), *headers], parts[1] or b"")
    return Status.OK


def continue_stream(world: World, kind: int) -> int:
    """Let a paused stream go on. A response that has not begun cannot go on (measured)."""
    if kind > max(StreamType):
        return Status.BAD_ARGUMENT
    early = world.stream is not None and world.stream.phase in ("creating", "request")
    if kind == StreamType.HTTP_RESPONSE and early:
        message = "proxy_continue_stream: a response must have begun before it goes on, found the request"
        world.end = End("stream-crash", message, "SIGSEGV")
    if kind == StreamType.HTTP_REQUEST and early and world.stream is not None:
        world.stream.went_on = True
    return Status.OK


def continue_request(world: World) -> int:
    """The same for a request in ABI 0.1.0."""
    return continue_stream(world, StreamType.HTTP_REQUEST)


def continue_response(world: World) -> int:
    """The same in ABI 0.1.0."""
    return continue_stream(world, StreamType.HTTP_RESPONSE)


def _touch(world: World, name: str) -> None:
    """Answering or closing a stream that is at its end goes through a null pointer (measured)."""
    if world.stream is not None and world.stream.phase == "ending":
        message = f"{name}: a stream must not be at its end, found it there"
        world.end = End("stream-crash", message, "SIGSEGV")


def close_stream(world: World, kind: int) -> int:
    """Reset the stream."""
    if kind > max(StreamType):
        return Status.BAD_ARGUMENT
    if world.stream is not None and kind in _STREAMS:
        _touch(world, "proxy_close_stream")
        if world.stream.phase == "creating":
            message = (
                "proxy_close_stream: a stream must have begun before it is closed, found its context made"
            )
            world.end = End("stream-crash", message, "SIGSEGV")
        world.stream.closed = True
    return Status.OK


TABLE: Final[tuple[Callable[..., int], ...]] = (
    add_header_map_value, close_stream, continue_request, continue_response, continue_stream, get_buffer_bytes,
    get_buffer_status, get_header_map_pairs, get_header_map_size, get_header_map_value, remove_header_map_value,
    replace_header_map_value, send_local_response, set_buffer_bytes, set_header_map_pairs,
)  # fmt: skip
