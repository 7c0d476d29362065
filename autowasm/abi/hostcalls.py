"""The host functions of module ``env``, as they answer a root context that starts: a table by name.

Source: proxy-wasm-cpp-host, src/exports.cc and src/context.cc, and Envoy's Context for a root context:
there is no stream, so header maps answer BadArgument, bodies NotFound, and calls to clusters are taken and
never answered. Each function gets the world and unsigned parameters, and answers a status.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from autowasm.abi import answers, callouts, sharing
from autowasm.abi.tables import BufferType, LogLevel, MapType, Status, StreamType
from autowasm.abi.world import World

HostCall = Callable[..., int | None]

_SHOWN: Final = 400
_ABSENT: Final = (BufferType.PLUGIN_CONFIGURATION, BufferType.HTTP_CALL_RESPONSE_BODY)
"""Buffers that a root context does not have; the others are there and empty."""

_ROOT: Final = 1
_CONTEXTS: Final = (0, _ROOT)


def log(world: World, level: int, pointer: int, size: int) -> int:
    """Keep a line."""
    if level > max(LogLevel):
        return Status.BAD_ARGUMENT
    if not world.reachable(pointer, size):
        return Status.INVALID_MEMORY_ACCESS
    text = world.guest.read(pointer, min(size, _SHOWN)).decode("utf-8", "replace")
    world.note(f"{LogLevel(level).name.lower()}: {text}")
    return Status.OK


def get_log_level(world: World, at: int) -> int:
    """Everything is wanted."""
    return answers.put(world, at, LogLevel.TRACE)


def get_current_time_nanoseconds(world: World, at: int) -> int:
    """The world's clock."""
    return answers.put(world, at, world.now(), 8)


def get_status(world: World, code_at: int, pointer_at: int, size_at: int) -> int:
    """No call has failed yet."""
    return answers.put(world, code_at, 0) or answers.give(world, b"", pointer_at, size_at)


def get_configuration(world: World, pointer_at: int, size_at: int) -> int:
    """The plugin's configuration where one is at hand, else the VM's (ABI 0.1.0)."""
    data = world.plugin_configuration if world.configuring else world.vm_configuration
    return answers.give(world, data, pointer_at, size_at)


def get_buffer_bytes(world: World, kind: int, start: int, size: int, *out: int) -> int:
    """A part of a configuration; there is no other buffer."""
    data = _buffer(world, kind)
    if isinstance(data, int):
        return data
    return answers.give(world, data[start : start + size], *out)


def get_buffer_status(world: World, kind: int, size_at: int, flags_at: int) -> int:
    """The length of a configuration."""
    data = _buffer(world, kind)
    if isinstance(data, int):
        return data
    return answers.put(world, size_at, len(data)) or answers.put(world, flags_at, 0)


def set_buffer_bytes(world: World, kind: int, *rest: int) -> int:
    """Configurations cannot be changed."""
    data = _buffer(world, kind)
    if isinstance(data, int):
        return data
    return Status.BAD_ARGUMENT if world.reachable(*rest[2:]) else Status.INVALID_MEMORY_ACCESS


def _buffer(world: World, kind: int) -> bytes | Status:
    if kind > max(BufferType):
        return Status.BAD_ARGUMENT
    if kind == BufferType.VM_CONFIGURATION:
        return world.vm_configuration
    if kind == BufferType.PLUGIN_CONFIGURATION and world.configuring:
        return world.plugin_configuration
    return Status.NOT_FOUND if kind in _ABSENT else b""


def no_map(world: World, kind: int, *rest: int) -> int:
    """There is no stream, so there are no header maps."""
    del world, kind, rest
    return Status.BAD_ARGUMENT


def get_header_map_pairs(world: World, kind: int, *out: int) -> int:
    """There is no stream, and its headers are none (measured)."""
    return Status.BAD_ARGUMENT if kind > max(MapType) else answers.give(world, b"", *out)


def get_property(world: World, path: int, size: int, *out: int) -> int:
    """What a proxy knows at the start. Paths are parts with NUL between them."""
    raw = world.read(path, min(size, _SHOWN))
    if raw is None:
        return Status.INVALID_MEMORY_ACCESS
    name = raw.decode("utf-8", "replace").rstrip("\0").replace("\0", ".")
    if not name:
        return Status.SERIALIZATION_FAILURE
    known = {
        "plugin_name": world.root_id.encode(),
        "plugin_root_id": world.root_id.encode(),
        "plugin_vm_id": world.vm_id.encode(),
        "listener_direction": (1).to_bytes(8, "little"),  # INBOUND
    }
    if name in known:
        return answers.give(world, known[name], *out)
    world.guess(f"proxy_get_property({name})")
    return Status.NOT_FOUND


def set_property(world: World, path: int, size: int, value: int, count: int) -> int:
    """There is no stream to keep it in."""
    reachable = world.reachable(path, size) and world.reachable(value, count)
    return Status.NOT_FOUND if reachable else Status.INVALID_MEMORY_ACCESS


def send_local_response(world: World, *arguments: int) -> int:
    """There is nobody to answer yet."""
    ranges = zip(arguments[1:7:2], arguments[2:7:2], strict=True)
    fine = all(world.reachable(pointer, size) for pointer, size in ranges)
    return Status.OK if fine else Status.INVALID_MEMORY_ACCESS


def stream(world: World, kind: int) -> int:
    """There is no stream to continue or to close."""
    del world
    return Status.BAD_ARGUMENT if kind > max(StreamType) else Status.OK


def set_effective_context(world: World, context: int) -> int:
    """The VM's context and the root context are all there is."""
    del world
    return Status.OK if context in _CONTEXTS else Status.BAD_ARGUMENT


def fine(world: World, *ignored: int) -> int:
    """Nothing happens."""
    del world, ignored
    return Status.OK


def done(world: World) -> int:
    """Nothing waits to be done."""
    del world
    return Status.NOT_FOUND


def pthread_equal(world: World, left: int, right: int) -> int:
    """Whether two threads are the same."""
    del world
    return int(left == right)


def nothing(world: World, ignored: int) -> None:
    """A notice that needs no answer."""
    del world, ignored


_ODD: Final[dict[str, HostCall]] = {
    "clear_route_cache": fine,
    "continue_request": fine,
    "continue_response": fine,
    "set_tick_period_milliseconds": fine,
    "continue_stream": stream,
    "close_stream": stream,
    "grpc_cancel": callouts.grpc_end,
    "grpc_close": callouts.grpc_end,
}
_MAPS: Final = (
    "add_header_map_value", "get_header_map_size", "get_header_map_value",
    "remove_header_map_value", "replace_header_map_value", "set_header_map_pairs",
)  # fmt: skip
_SAME: Final[tuple[HostCall, ...]] = (
    callouts.call_foreign_function, callouts.grpc_call, callouts.grpc_send, callouts.grpc_stream,
    callouts.http_call, done, get_buffer_bytes, get_buffer_status, get_configuration,
    get_current_time_nanoseconds, get_header_map_pairs, get_log_level, get_property, get_status, log,
    send_local_response, set_buffer_bytes, set_effective_context, set_property, sharing.define_metric,
    sharing.dequeue_shared_queue, sharing.enqueue_shared_queue, sharing.get_metric, sharing.get_shared_data,
    sharing.increment_metric, sharing.record_metric, sharing.register_shared_queue,
    sharing.resolve_shared_queue, sharing.set_shared_data,
)  # fmt: skip

TABLE: Final[dict[str, HostCall]] = {
    "env.pthread_equal": pthread_equal,
    "env.emscripten_notify_memory_growth": nothing,
    "env.envoy_resolve_dns": callouts.envoy_resolve_dns,
    **{f"env.proxy_{call.__name__}": call for call in _SAME},
    **{f"env.proxy_{name}": call for name, call in _ODD.items()},
    **{f"env.proxy_{name}": no_map for name in _MAPS},
}
