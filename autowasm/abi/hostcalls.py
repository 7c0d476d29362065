"""The host functions of module ``env``: a table by name, and those that need no module of their own.

Source: proxy-wasm-cpp-host, src/exports.cc and src/context.cc, and Envoy's Context. Each function gets the
world and unsigned parameters, and answers a status. Calls to clusters are taken and never answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from autowasm.abi import answers, callouts, messages, properties, sharing, stream
from autowasm.abi.tables import LogLevel, Status
from autowasm.abi.world import World

HostCall = Callable[..., int | None]

_SHOWN: Final = 400


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
    data = world.configuration.plugin if world.configuring else world.configuration.vm
    return answers.give(world, data, pointer_at, size_at)


def set_effective_context(world: World, context: int) -> int:
    """The VM's context, the root context and the stream's are all there is."""
    last = stream.ROOT if world.stream is None else stream.CONTEXT
    return Status.OK if context <= last else Status.BAD_ARGUMENT


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
    "set_tick_period_milliseconds": fine,
    "grpc_cancel": callouts.grpc_end,
    "grpc_close": callouts.grpc_end,
}
_SAME: Final[tuple[HostCall, ...]] = (
    *messages.TABLE, callouts.call_foreign_function, callouts.grpc_call, callouts.grpc_send,
    callouts.grpc_stream, callouts.http_call, done, get_configuration, get_current_time_nanoseconds,
    get_log_level, get_status, log, properties.get_property, properties.set_property, set_effective_context,
    sharing.define_metric, sharing.dequeue_shared_queue, sharing.enqueue_shared_queue, sharing.get_metric,
    sharing.get_shared_data, sharing.increment_metric, sharing.record_metric, sharing.register_shared_queue,
    sharing.resolve_shared_queue, sharing.set_shared_data,
)  # fmt: skip

TABLE: Final[dict[str, HostCall]] = {
    "env.pthread_equal": pthread_equal,
    "env.emscripten_notify_memory_growth": nothing,
    "env.envoy_resolve_dns": callouts.envoy_resolve_dns,
    **{f"env.proxy_{call.__name__}": call for call in _SAME},
    **{f"env.proxy_{name}": call for name, call in _ODD.items()},
}
