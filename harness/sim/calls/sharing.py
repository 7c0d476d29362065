"""Data and queues that VMs share, and metrics. Source: proxy-wasm-cpp-host, shared_data.cc and shared_queue.cc."""

from __future__ import annotations

from typing import Final

from autowasm.abi.tables import MetricType, Status
from harness.sim.calls import answers
from harness.sim.contexts import Machine
from harness.sim.world import Queue

TOLD: Final = 0.001
"""After how many milliseconds the owner of a queue is told."""
_SIGN: Final = 1 << 63
_WRAP: Final = 1 << 64


def get_shared_data(vm: Machine, key: int, size: int, *out: int) -> int:
    """A value and its version."""
    name = vm.read(key, size)
    if name is None:
        return Status.INVALID_MEMORY_ACCESS
    found = vm.world.data.get((vm.vm_plugin.vm_id, name))
    if found is None:
        return Status.NOT_FOUND
    return answers.give(vm, found[0], *out[:2]) or answers.put(vm, out[2], found[1])


def set_shared_data(vm: Machine, *arguments: int) -> int:
    """Set a value if its version is the one named, or if none is. A new value has no version to differ from."""
    name, value, cas = vm.read(*arguments[:2]), vm.read(*arguments[2:4]), arguments[4]
    if name is None or value is None:
        return Status.INVALID_MEMORY_ACCESS
    key = (vm.vm_plugin.vm_id, name)
    found = vm.world.data.get(key)
    if found is not None and cas not in (0, found[1]):
        return Status.CAS_MISMATCH
    vm.world.data[key] = (value, vm.world.next_cas())
    return Status.OK


def register_shared_queue(vm: Machine, name: int, size: int, at: int) -> int:
    """A queue of this VM id; the last who registers is told of its messages."""
    key = vm.read(name, size)
    if key is None:
        return Status.INVALID_MEMORY_ACCESS
    numbers = vm.world.queue_names
    number = numbers.setdefault((vm.vm_plugin.vm_id, key), len(numbers) + 1)
    queue = vm.world.queues.setdefault(number, Queue())
    root = vm.context.root

    def tell() -> None:
        if not vm.failure:
            vm.call(root, "proxy_on_queue_ready", root.number, number)

    queue.tell = tell
    return answers.put(vm, at, number)


def resolve_shared_queue(vm: Machine, *arguments: int) -> int:
    """A queue of any VM id."""
    other, key = vm.read(*arguments[:2]), vm.read(*arguments[2:4])
    if other is None or key is None:
        return Status.INVALID_MEMORY_ACCESS
    vm_id = other.decode("utf-8", "replace") or vm.vm_plugin.vm_id
    number = vm.world.queue_names.get((vm_id, key))
    return Status.NOT_FOUND if number is None else answers.put(vm, arguments[4], number)


def enqueue_shared_queue(vm: Machine, number: int, pointer: int, size: int) -> int:
    """Append to a queue; its owner is told a moment later."""
    data = vm.read(pointer, size)
    if data is None:
        return Status.INVALID_MEMORY_ACCESS
    queue = vm.world.queues.get(number)
    if queue is None:
        return Status.NOT_FOUND
    queue.messages.append(data)
    vm.world.clock.after(TOLD, queue.tell)
    return Status.OK


def dequeue_shared_queue(vm: Machine, number: int, *out: int) -> int:
    """Take from a queue."""
    queue = vm.world.queues.get(number)
    if queue is None:
        return Status.NOT_FOUND
    return answers.give(vm, queue.messages.popleft(), *out) if queue.messages else Status.EMPTY


def define_metric(vm: Machine, kind: int, name: int, size: int, at: int) -> int:
    """A new number each time; the same name is the same metric."""
    key = vm.read(name, size)
    if key is None:
        return Status.INVALID_MEMORY_ACCESS
    if kind > max(MetricType):
        return Status.BAD_ARGUMENT
    metric = vm.world.metric(MetricType(kind), key.decode("utf-8", "replace"))
    return answers.put(vm, at, vm.number_metric(metric))


def increment_metric(vm: Machine, number: int, delta: int) -> int:
    """Counters grow, gauges change, histograms do neither."""
    signed = delta - _WRAP if delta & _SIGN else delta
    kind = number & 3
    if kind not in (MetricType.COUNTER, MetricType.GAUGE):
        return Status.BAD_ARGUMENT
    metric = vm.metric(number)
    if metric is None:
        return Status.NOT_FOUND
    if kind == MetricType.COUNTER and signed <= 0:
        return Status.BAD_ARGUMENT
    metric.sum = (metric.sum + signed) % _WRAP
    return Status.OK


def record_metric(vm: Machine, number: int, value: int) -> int:
    """Counters grow, gauges are set, histograms get one more value."""
    metric = vm.metric(number)
    if metric is None:
        return Status.NOT_FOUND
    if metric.kind is MetricType.GAUGE:
        metric.sum = value
    else:
        metric.sum = (metric.sum + value) % _WRAP
        metric.count += 1
    return Status.OK


def get_metric(vm: Machine, number: int, at: int) -> int:
    """A counter's or a gauge's value."""
    if number & 3 not in (MetricType.COUNTER, MetricType.GAUGE):
        return Status.BAD_ARGUMENT
    metric = vm.metric(number)
    return Status.NOT_FOUND if metric is None else answers.put(vm, at, metric.sum, 8)


CALLS: Final = (
    define_metric, dequeue_shared_queue, enqueue_shared_queue, get_metric, get_shared_data, increment_metric,
    record_metric, register_shared_queue, resolve_shared_queue, set_shared_data,
)  # fmt: skip
