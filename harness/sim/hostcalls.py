"""The functions that a module may call: one table, one function each.

Source: proxy-wasm-cpp-host, src/exports.cc, for checks and statuses. A function that is not in the table
links and answers UNIMPLEMENTED. Each takes the host and unsigned parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from autowasm.abi.tables import BufferType, LogLevel, MapType, Status
from harness.sim import maps
from harness.sim.contexts import Host, HostCall, Line, LocalResponse


def log(host: Host, level: int, pointer: int, size: int) -> int:
    """Keep a line."""
    if level > max(LogLevel):
        return Status.BAD_ARGUMENT
    message = host.read(pointer, size)
    if message is None:
        return Status.INVALID_MEMORY_ACCESS
    host.state.logs.append(Line(level, message.decode("utf-8", "replace")))
    return Status.OK


def get_log_level(host: Host, at: int) -> int:
    """Everything is wanted."""
    return _put(host, at, LogLevel.TRACE)


def get_current_time_nanoseconds(host: Host, at: int) -> int:
    """A clock that moves when it is read."""
    host.state.clock += 1_000
    return (
        Status.OK if host.write(at, host.state.clock.to_bytes(8, "little")) else Status.INVALID_MEMORY_ACCESS
    )


def set_tick_period_milliseconds(host: Host, period: int) -> int:
    """Taken; nothing ticks yet."""
    del host, period
    return Status.OK


# --------------------------------------------------------------------------- header maps


def _map(host: Host, kind: int) -> maps.HeaderMap | None:
    stream = host.state.current
    return stream.maps.get(MapType(kind)) if stream is not None and kind <= max(MapType) else None


def add_header_map_value(host: Host, kind: int, *rest: int) -> int:
    """One more value."""
    return _set(host, kind, rest, maps.HeaderMap.add)


def replace_header_map_value(host: Host, kind: int, *rest: int) -> int:
    """One value instead of all."""
    return _set(host, kind, rest, maps.HeaderMap.replace)


def _set(
    host: Host, kind: int, rest: tuple[int, ...], change: Callable[[maps.HeaderMap, bytes, bytes], None]
) -> int:
    name, value = host.read(*rest[:2]), host.read(*rest[2:4])
    headers = _map(host, kind)
    if name is None or value is None:
        return Status.INVALID_MEMORY_ACCESS
    if headers is None:
        return Status.BAD_ARGUMENT
    change(headers, name, value)
    return Status.OK


def remove_header_map_value(host: Host, kind: int, pointer: int, size: int) -> int:
    """No value any more."""
    name, headers = host.read(pointer, size), _map(host, kind)
    if name is None:
        return Status.INVALID_MEMORY_ACCESS
    if headers is None:
        return Status.BAD_ARGUMENT
    headers.remove(name)
    return Status.OK


def get_header_map_value(host: Host, kind: int, pointer: int, size: int, *out: int) -> int:
    """The first value; one that is not there is empty in ABI 0.1.0 and not found later."""
    name, headers = host.read(pointer, size), _map(host, kind)
    if name is None:
        return Status.INVALID_MEMORY_ACCESS
    if headers is None:
        return Status.BAD_ARGUMENT
    value = headers.get(name)
    if value is None and host.state.abi != "0.1.0":
        return Status.NOT_FOUND
    return _give(host, value or b"", *out)


def get_header_map_pairs(host: Host, kind: int, *out: int) -> int:
    """All of them."""
    headers = _map(host, kind)
    return Status.BAD_ARGUMENT if headers is None else _give(host, maps.serialise(headers.pairs), *out)


def set_header_map_pairs(host: Host, kind: int, pointer: int, size: int) -> int:
    """Other ones."""
    data, headers = host.read(pointer, size), _map(host, kind)
    if data is None:
        return Status.INVALID_MEMORY_ACCESS
    if headers is None:
        return Status.BAD_ARGUMENT
    headers.pairs = maps.parse(data)
    return Status.OK


def get_header_map_size(host: Host, kind: int, at: int) -> int:
    """Their bytes."""
    headers = _map(host, kind)
    return Status.BAD_ARGUMENT if headers is None else _put(host, at, headers.byte_size())


# --------------------------------------------------------------------------- buffers


def _buffer(host: Host, kind: int) -> bytes | bytearray | Status:
    state = host.state
    if kind > max(BufferType):
        return Status.BAD_ARGUMENT
    if kind == BufferType.VM_CONFIGURATION:
        return state.plugin.vm_configuration
    if kind == BufferType.PLUGIN_CONFIGURATION:
        return state.plugin.configuration if state.configuring else Status.NOT_FOUND
    buffer = state.current.buffers.get(BufferType(kind)) if state.current is not None else None
    return Status.NOT_FOUND if buffer is None else buffer


def get_buffer_bytes(host: Host, kind: int, start: int, size: int, *out: int) -> int:
    """A part of a buffer, as far as it goes."""
    buffer = _buffer(host, kind)
    return buffer if isinstance(buffer, int) else _give(host, bytes(buffer[start : start + size]), *out)


def get_buffer_status(host: Host, kind: int, size_at: int, flags_at: int) -> int:
    """A buffer's length."""
    buffer = _buffer(host, kind)
    return buffer if isinstance(buffer, int) else _put(host, size_at, len(buffer)) or _put(host, flags_at, 0)


def set_buffer_bytes(host: Host, kind: int, start: int, size: int, *rest: int) -> int:
    """Replace a part: the beginning (start 0), or the end (start at or behind it, which appends)."""
    buffer, data = _buffer(host, kind), host.read(*rest)
    if isinstance(buffer, int):
        return buffer
    if data is None:
        return Status.INVALID_MEMORY_ACCESS
    if not isinstance(buffer, bytearray):
        return Status.BAD_ARGUMENT
    if start == 0:
        buffer[: min(size, len(buffer))] = data
    elif start >= len(buffer):
        buffer += data
    else:
        return Status.BAD_ARGUMENT
    return Status.OK


def get_configuration(host: Host, *out: int) -> int:
    """The plugin's while it is configured, else the VM's (ABI 0.1.0)."""
    plugin = host.state.plugin
    return _give(host, plugin.configuration if host.state.configuring else plugin.vm_configuration, *out)


# --------------------------------------------------------------------------- streams and the rest


def send_local_response(host: Host, status: int, *rest: int) -> int:
    """Answer instead of the application."""
    details, body, headers = (host.read(*rest[i : i + 2]) for i in (0, 2, 4))
    if details is None or body is None or headers is None:
        return Status.INVALID_MEMORY_ACCESS
    if host.state.current is not None:
        pairs = tuple(maps.parse(headers))
        host.state.current.local = LocalResponse(status, pairs, body, details.decode("utf-8", "replace"))
    return Status.OK


def get_property(host: Host, path: int, size: int, *out: int) -> int:
    """The plugin's own names, and the request's line."""
    raw = host.read(path, size)
    if raw is None:
        return Status.INVALID_MEMORY_ACCESS
    value = _properties(host).get(raw.decode("utf-8", "replace").rstrip("\0").replace("\0", "."))
    return Status.NOT_FOUND if value is None else _give(host, value, *out)


def _properties(host: Host) -> dict[str, bytes | None]:
    plugin, stream = host.state.plugin, host.state.current
    request = stream.maps.get(MapType.HTTP_REQUEST_HEADERS) if stream is not None else None
    known: dict[str, bytes | None] = {
        "plugin_name": plugin.name.encode(),
        "plugin_root_id": plugin.root_id.encode(),
        "plugin_vm_id": plugin.vm_id.encode(),
    }
    if request is not None:
        known |= {
            "request.method": request.get(b":method"),
            "request.path": request.get(b":path"),
            "request.host": request.get(b":authority"),
        }
    return known


def get_shared_data(host: Host, key: int, size: int, *out: int) -> int:
    """A value and its version."""
    name = host.read(key, size)
    if name is None:
        return Status.INVALID_MEMORY_ACCESS
    if name not in host.state.shared:
        return Status.NOT_FOUND
    value, version = host.state.shared[name]
    return _give(host, value, *out[:2]) or _put(host, out[2], version)


def set_shared_data(host: Host, *arguments: int) -> int:
    """Set a value if its version is the one named, or if none is."""
    name, value, cas = host.read(*arguments[:2]), host.read(*arguments[2:4]), arguments[4]
    if name is None or value is None:
        return Status.INVALID_MEMORY_ACCESS
    version = host.state.shared.get(name, (b"", 0))[1]
    if cas and cas != version:
        return Status.CAS_MISMATCH
    host.state.shared[name] = (value, version + 1)
    return Status.OK


def fine(host: Host, *ignored: int) -> int:
    """Nothing happens."""
    del host, ignored
    return 0


def _put(host: Host, at: int, value: int) -> int:
    return Status.OK if host.write(at, value.to_bytes(4, "little")) else Status.INVALID_MEMORY_ACCESS


def _give(host: Host, data: bytes, pointer_at: int, size_at: int) -> int:
    """Copy into memory that the module allocates, and tell where."""
    pointer = host.allocate(len(data)) if data else 0
    if data and (pointer == 0 or not host.write(pointer, data)):
        return Status.INVALID_MEMORY_ACCESS
    return _put(host, pointer_at, pointer) or _put(host, size_at, len(data))


_PROXY: Final[tuple[HostCall, ...]] = (
    add_header_map_value, get_buffer_bytes, get_buffer_status, get_configuration,
    get_current_time_nanoseconds, get_header_map_pairs, get_header_map_size, get_header_map_value,
    get_log_level, get_property, get_shared_data, log, remove_header_map_value, replace_header_map_value,
    send_local_response, set_buffer_bytes, set_header_map_pairs, set_shared_data,
    set_tick_period_milliseconds,
)  # fmt: skip
TABLE: Final[dict[str, HostCall]] = {
    **{f"env.proxy_{call.__name__}": call for call in _PROXY},
    "env.proxy_continue_stream": fine,
    "env.proxy_clear_route_cache": fine,
    "env.emscripten_notify_memory_growth": fine,
}
