"""What a module does with its stream, its context and its host's clock, and what it says."""

from __future__ import annotations

from typing import Final

from autowasm.abi.tables import LogLevel, Status, StreamType
from harness.sim import maps
from harness.sim.calls import answers
from harness.sim.contexts import Machine, Response

_HTTP: Final = (StreamType.HTTP_REQUEST, StreamType.HTTP_RESPONSE)
_LAST_LEVEL: Final = max(LogLevel)


def log(vm: Machine, level: int, pointer: int, size: int) -> int:
    """Keep a line."""
    if level > _LAST_LEVEL:
        return Status.BAD_ARGUMENT
    message = vm.read(pointer, size)
    if message is None:
        return Status.INVALID_MEMORY_ACCESS
    vm.world.log(level, message.decode("utf-8", "replace"))
    return Status.OK


def get_log_level(vm: Machine, at: int) -> int:
    """Everything is wanted."""
    return answers.put(vm, at, LogLevel.TRACE)


def get_current_time_nanoseconds(vm: Machine, at: int) -> int:
    """The simulated time."""
    return answers.put(vm, at, vm.world.clock.read(), 8)


def set_tick_period_milliseconds(vm: Machine, period: int) -> int:
    """Tick so often."""
    vm.context.root.set_period(period)
    return Status.OK


def continue_stream(vm: Machine, kind: int) -> int:
    """Go on; that is done when the module has returned."""
    if kind > max(StreamType):
        return Status.BAD_ARGUMENT
    if kind == StreamType.UPSTREAM:
        return Status.UNIMPLEMENTED
    if kind in _HTTP:
        vm.context.proceed(kind == StreamType.HTTP_REQUEST)
    return Status.OK


def continue_request(vm: Machine) -> int:
    """As continue_stream (ABI 0.1.0)."""
    return continue_stream(vm, StreamType.HTTP_REQUEST)


def continue_response(vm: Machine) -> int:
    """As continue_stream (ABI 0.1.0)."""
    return continue_stream(vm, StreamType.HTTP_RESPONSE)


def close_stream(vm: Machine, kind: int) -> int:
    """Reset; that is done when the module has returned."""
    if kind > max(StreamType):
        return Status.BAD_ARGUMENT
    if kind in _HTTP:
        vm.context.close(kind == StreamType.HTTP_REQUEST)
    return Status.OK


def clear_route_cache(vm: Machine) -> int:
    """Choose the route once more (ABI 0.1.0)."""
    vm.context.reroute()
    return Status.OK


def send_local_response(vm: Machine, status: int, *rest: int) -> int:
    """Answer instead of the application; whatever the callback returns, the stream stops."""
    details, body, headers = (vm.read(*rest[i : i + 2]) for i in (0, 2, 4))
    if details is None or body is None or headers is None:
        return Status.INVALID_MEMORY_ACCESS
    pairs = maps.parse(headers)
    grpc = rest[6] if rest[6] <= _LAST_GRPC else -1
    vm.context.respond(Response(status & 0xFFFF, pairs, body, details.decode("utf-8", "replace"), grpc))
    vm.stopped = True
    return Status.OK


_LAST_GRPC: Final = 16


def set_effective_context(vm: Machine, number: int) -> int:
    """Act on another context."""
    if number not in vm.contexts:
        return Status.BAD_ARGUMENT
    vm.choose(number)
    return Status.OK


def done(vm: Machine) -> int:
    """The plugin is ready to be deleted."""
    return vm.done(vm.context)


CALLS: Final = (
    clear_route_cache, close_stream, continue_request, continue_response, continue_stream, done,
    get_current_time_nanoseconds, get_log_level, log, send_local_response, set_effective_context,
    set_tick_period_milliseconds,
)  # fmt: skip
