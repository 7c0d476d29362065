"""The host functions of module ``env``, as they answer a root context that starts: a table by name.

Source: proxy-wasm-cpp-host, src/exports.cc and src/context.cc, and Envoy's Context for a root context:
there is no stream, so header maps answer BadArgument, bodies NotFound, and calls to clusters are taken and
never answered. Each function gets the world and unsigned parameters, and answers a status.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from autowasm.abi.tables import BufferType, LogLevel, MetricType, Status, StreamType
from autowasm.abi.world import World

HostCall = Callable[..., int | None]

_SHOWN: Final = 400
_DEEPEST_COPY: Final = 1 << 20
"""Longest value that is kept from a module under test: more is taken, and forgotten."""

_FOREIGN: Final = frozenset({
    "clear_route_cache", "compress", "declare_property", "expr_create", "expr_delete", "expr_evaluate",
    "set_envoy_filter_state", "sign", "uncompress", "verify_signature",
})  # fmt: skip
"""Foreign functions of Envoy (source/extensions/common/wasm/foreign.cc)."""

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
    return _put(world, at, LogLevel.TRACE)


def get_current_time_nanoseconds(world: World, at: int) -> int:
    """The world's clock."""
    return Status.OK if world.put(at, world.now(), 8) else Status.INVALID_MEMORY_ACCESS


def get_status(world: World, code_at: int, pointer_at: int, size_at: int) -> int:
    """No call has failed yet."""
    return _put(world, code_at, 0) or _give(world, b"", pointer_at, size_at)


def get_configuration(world: World, pointer_at: int, size_at: int) -> int:
    """The plugin's configuration where one is at hand, else the VM's (ABI 0.1.0)."""
    data = world.plugin_configuration if world.configuring else world.vm_configuration
    return _give(world, data, pointer_at, size_at)


def get_buffer_bytes(world: World, kind: int, start: int, size: int, *out: int) -> int:
    """A part of a configuration; there is no other buffer."""
    data = _buffer(world, kind)
    if isinstance(data, int):
        return data
    return _give(world, data[start : start + size], *out)


def get_buffer_status(world: World, kind: int, size_at: int, flags_at: int) -> int:
    """The length of a configuration."""
    data = _buffer(world, kind)
    if isinstance(data, int):
        return data
    return _put(world, size_at, len(data)) or _put(world, flags_at, 0)


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
    return Status.NOT_FOUND


def no_map(world: World, kind: int, *rest: int) -> int:
    """There is no stream, so there are no header maps."""
    del world, kind, rest
    return Status.BAD_ARGUMENT


def get_property(world: World, path: int, size: int, *out: int) -> int:
    """What a proxy knows at the start. Paths are parts with NUL between them."""
    raw = world.read(path, min(size, _SHOWN))
    if raw is None:
        return Status.INVALID_MEMORY_ACCESS
    name = raw.decode("utf-8", "replace").rstrip("\0").replace("\0", ".")
    known = {
        "plugin_name": world.root_id.encode(),
        "plugin_root_id": world.root_id.encode(),
        "plugin_vm_id": world.vm_id.encode(),
        "listener_direction": (1).to_bytes(8, "little"),  # INBOUND
    }
    if name in known:
        return _give(world, known[name], *out)
    world.guess(f"proxy_get_property({name})")
    return Status.NOT_FOUND


def set_property(world: World, path: int, size: int, value: int, count: int) -> int:
    """There is no stream to keep it in."""
    reachable = world.reachable(path, size) and world.reachable(value, count)
    return Status.NOT_FOUND if reachable else Status.INVALID_MEMORY_ACCESS


def get_shared_data(world: World, key: int, size: int, *out: int) -> int:
    """A value and its version."""
    name = world.read(key, size)
    if name is None:
        return Status.INVALID_MEMORY_ACCESS
    if name not in world.shared:
        return Status.NOT_FOUND
    value, cas = world.shared[name]
    return _give(world, value, *out[:2]) or _put(world, out[2], cas)


def set_shared_data(world: World, *arguments: int) -> int:
    """Set a value; a ``cas`` of 0 means whatever the version is."""
    key, size, value, count, cas = arguments
    name, data = world.read(key, size), world.read(value, min(count, _DEEPEST_COPY))
    if name is None or data is None:
        return Status.INVALID_MEMORY_ACCESS
    version = world.shared.get(name, (b"", 0))[1]
    if cas and cas != version:
        return Status.CAS_MISMATCH
    world.shared[name] = (data, version + 1)
    return Status.OK


def register_shared_queue(world: World, name: int, size: int, at: int) -> int:
    """A queue of this VM; a name gives the same queue again."""
    key = world.read(name, size)
    if key is None:
        return Status.INVALID_MEMORY_ACCESS
    return _put(world, at, world.queues.setdefault(key, len(world.queues) + 1))


def resolve_shared_queue(world: World, *arguments: int) -> int:
    """A queue of this VM; those of others are not here."""
    other, key = world.read(*arguments[:2]), world.read(*arguments[2:4])
    if other is None or key is None:
        return Status.INVALID_MEMORY_ACCESS
    if other not in (b"", world.vm_id.encode()) or key not in world.queues:
        world.guess("proxy_resolve_shared_queue")
        return Status.NOT_FOUND
    return _put(world, arguments[4], world.queues[key])


def enqueue_shared_queue(world: World, queue: int, pointer: int, size: int) -> int:
    """Append to a queue."""
    data = world.read(pointer, min(size, _DEEPEST_COPY))
    if data is None:
        return Status.INVALID_MEMORY_ACCESS
    if queue not in world.queues.values():
        return Status.NOT_FOUND
    world.messages.setdefault(queue, []).append(data)
    return Status.OK


def dequeue_shared_queue(world: World, queue: int, *out: int) -> int:
    """Take from a queue."""
    if queue not in world.queues.values():
        return Status.NOT_FOUND
    waiting = world.messages.get(queue)
    return _give(world, waiting.pop(0), *out) if waiting else Status.EMPTY


def define_metric(world: World, kind: int, name: int, size: int, at: int) -> int:
    """A metric's identifier: the kind in its low two bits, as the host has it."""
    key = world.read(name, size)
    if key is None:
        return Status.INVALID_MEMORY_ACCESS
    if kind > max(MetricType):
        return Status.BAD_ARGUMENT
    number = world.metrics.setdefault(key, (len(world.metrics) + 1) << 2 | kind)
    return _put(world, at, number)


def increment_metric(world: World, metric: int, delta: int) -> int:
    """Counters only go up, histograms cannot be incremented."""
    return _change(world, metric, lambda old: old + delta, {MetricType.COUNTER, MetricType.GAUGE})


def record_metric(world: World, metric: int, value: int) -> int:
    """Set a gauge, record in a histogram."""
    return _change(
        world, metric, lambda _: value, {MetricType.GAUGE, MetricType.HISTOGRAM, MetricType.COUNTER}
    )


def get_metric(world: World, metric: int, at: int) -> int:
    """A counter's or a gauge's value."""
    if metric & 3 == MetricType.HISTOGRAM:
        return Status.BAD_ARGUMENT
    if metric not in world.metrics.values():
        return Status.NOT_FOUND
    return (
        Status.OK if world.put(at, world.values.get(metric, 0) % 2**64, 8) else Status.INVALID_MEMORY_ACCESS
    )


def _change(world: World, metric: int, change: Callable[[int], int], kinds: set[MetricType]) -> int:
    if metric not in world.metrics.values():
        return Status.NOT_FOUND
    if metric & 3 not in kinds:
        return Status.BAD_ARGUMENT
    world.values[metric] = change(world.values.get(metric, 0))
    return Status.OK


def http_call(world: World, *arguments: int) -> int:
    """Taken, and never answered: which clusters there are only a proxy knows."""
    world.guess("proxy_http_call")
    ranges = zip(arguments[0:8:2], arguments[1:8:2], strict=True)
    return _token(world, list(ranges), arguments[9])


def grpc_call(world: World, *arguments: int) -> int:
    """Taken, and never answered."""
    world.guess("proxy_grpc_call")
    return _token(world, list(zip(arguments[0:10:2], arguments[1:10:2], strict=True)), arguments[11])


def grpc_stream(world: World, *arguments: int) -> int:
    """Taken, and never answered."""
    world.guess("proxy_grpc_stream")
    return _token(world, list(zip(arguments[0:8:2], arguments[1:8:2], strict=True)), arguments[8])


def envoy_resolve_dns(world: World, name: int, size: int, at: int) -> int:
    """Taken, and never answered."""
    return _token(world, [(name, size)], at)


def _token(world: World, ranges: list[tuple[int, int]], at: int) -> int:
    if not all(world.reachable(pointer, size) for pointer, size in ranges):
        return Status.INVALID_MEMORY_ACCESS
    world.tokens += 1
    return _put(world, at, world.tokens)


def grpc_send(world: World, token: int, pointer: int, size: int, end: int) -> int:
    """Sent into a stream that was opened."""
    del end
    if not world.reachable(pointer, size):
        return Status.INVALID_MEMORY_ACCESS
    return Status.OK if 0 < token <= world.tokens else Status.NOT_FOUND


def known_token(world: World, token: int) -> int:
    """End what was opened."""
    return Status.OK if 0 < token <= world.tokens else Status.NOT_FOUND


def call_foreign_function(world: World, name: int, size: int, *rest: int) -> int:
    """Envoy's own functions answer nothing here."""
    raw = world.read(name, min(size, _SHOWN))
    if raw is None or not world.reachable(rest[0], rest[1]):
        return Status.INVALID_MEMORY_ACCESS
    text = raw.decode("utf-8", "replace")
    if text not in _FOREIGN:
        return Status.NOT_FOUND
    world.guess(f"proxy_call_foreign_function({text})")
    written = [world.put(at, 0) for at in rest[2:4] if at]
    return Status.OK if all(written) else Status.INVALID_MEMORY_ACCESS


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


def _put(world: World, at: int, value: int) -> int:
    return Status.OK if world.put(at, value) else Status.INVALID_MEMORY_ACCESS


def _give(world: World, data: bytes, pointer_at: int, size_at: int) -> int:
    return Status.OK if world.hand_over(data, pointer_at, size_at) else Status.INVALID_MEMORY_ACCESS


_ODD: Final[dict[str, Any]] = {
    "clear_route_cache": fine,
    "continue_request": fine,
    "continue_response": fine,
    "set_tick_period_milliseconds": fine,
    "continue_stream": stream,
    "close_stream": stream,
    "grpc_cancel": known_token,
    "grpc_close": known_token,
}
_MAPS: Final = (
    "add_header_map_value", "get_header_map_pairs", "get_header_map_size", "get_header_map_value",
    "remove_header_map_value", "replace_header_map_value", "set_header_map_pairs",
)  # fmt: skip
_SAME: Final = (
    call_foreign_function, define_metric, dequeue_shared_queue, done, enqueue_shared_queue, get_buffer_bytes,
    get_buffer_status, get_configuration, get_current_time_nanoseconds, get_log_level, get_metric,
    get_property, get_shared_data, get_status, grpc_call, grpc_send, grpc_stream, http_call, increment_metric,
    log, record_metric, register_shared_queue, resolve_shared_queue, send_local_response, set_buffer_bytes,
    set_effective_context, set_property, set_shared_data,
)  # fmt: skip

TABLE: Final[dict[str, HostCall]] = {
    "env.pthread_equal": pthread_equal,
    "env.emscripten_notify_memory_growth": nothing,
    "env.envoy_resolve_dns": envoy_resolve_dns,
    **{f"env.proxy_{call.__name__}": call for call in _SAME},
    **{f"env.proxy_{name}": call for name, call in _ODD.items()},
    **{f"env.proxy_{name}": no_map for name in _MAPS},
}
