"""Host functions for what modules share with each other and with the proxy: data, queues and metrics.

Source: proxy-wasm-cpp-host, src/shared_data.cc and src/shared_queue.cc; Envoy's Context for metrics. Of other
VMs there is nothing here.
"""

from __future__ import annotations

from collections import deque

from autowasm.abi import answers
from autowasm.abi.tables import MetricType, Status
from autowasm.abi.world import World


def get_shared_data(world: World, key: int, size: int, *out: int) -> int:
    """A value and its version."""
    name = world.read(key, size)
    if name is None:
        return Status.INVALID_MEMORY_ACCESS
    if name not in world.shared:
        return Status.NOT_FOUND
    value, cas = world.shared[name]
    return answers.give(world, value, *out[:2]) or answers.put(world, out[2], cas)


def set_shared_data(world: World, *arguments: int) -> int:
    """Set a value; a ``cas`` of 0 means whatever the version is."""
    key, size, value, count, cas = arguments
    name, data = world.read(key, size), world.read(value, count)
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
    number = world.queues.setdefault(key, len(world.queues) + 1)
    world.messages.setdefault(number, deque())
    return answers.put(world, at, number)


def resolve_shared_queue(world: World, *arguments: int) -> int:
    """A queue of this VM; those of others are not here."""
    other, key = world.read(*arguments[:2]), world.read(*arguments[2:4])
    if other is None or key is None:
        return Status.INVALID_MEMORY_ACCESS
    if other not in (b"", world.configuration.vm_id.encode()) or key not in world.queues:
        world.guess("proxy_resolve_shared_queue")
        return Status.NOT_FOUND
    return answers.put(world, arguments[4], world.queues[key])


def enqueue_shared_queue(world: World, queue: int, pointer: int, size: int) -> int:
    """Append to a queue."""
    data = world.read(pointer, size)
    if data is None:
        return Status.INVALID_MEMORY_ACCESS
    if queue not in world.messages:
        return Status.NOT_FOUND
    world.messages[queue].append(data)
    return Status.OK


def dequeue_shared_queue(world: World, queue: int, *out: int) -> int:
    """Take from a queue."""
    waiting = world.messages.get(queue)
    if waiting is None:
        return Status.NOT_FOUND
    return answers.give(world, waiting.popleft(), *out) if waiting else Status.EMPTY


def define_metric(world: World, kind: int, name: int, size: int, at: int) -> int:
    """A metric's identifier: the kind in its low two bits, as the host has it."""
    key = world.read(name, size)
    if key is None:
        return Status.INVALID_MEMORY_ACCESS
    if kind > max(MetricType):
        return Status.BAD_ARGUMENT
    number = world.metrics.setdefault(key, (len(world.metrics) + 1) << 2 | kind)
    world.values.setdefault(number, 0)
    return answers.put(world, at, number)


def increment_metric(world: World, metric: int, delta: int) -> int:
    """Counters and gauges can be incremented."""
    if metric & 3 not in (MetricType.COUNTER, MetricType.GAUGE):
        return Status.BAD_ARGUMENT
    return _set(world, metric, world.values.get(metric, 0) + delta)


def record_metric(world: World, metric: int, value: int) -> int:
    """Any metric can be recorded."""
    return _set(world, metric, value)


def get_metric(world: World, metric: int, at: int) -> int:
    """A counter's or a gauge's value."""
    if metric & 3 not in (MetricType.COUNTER, MetricType.GAUGE):
        return Status.BAD_ARGUMENT
    if metric not in world.values:
        return Status.NOT_FOUND
    return (
        Status.OK if world.put(at, world.values.get(metric, 0) % 2**64, 8) else Status.INVALID_MEMORY_ACCESS
    )


def _set(world: World, metric: int, value: int) -> int:
    if metric not in world.values:
        return Status.NOT_FOUND
    world.values[metric] = value
    return Status.OK
