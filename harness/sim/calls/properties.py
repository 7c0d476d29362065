"""Properties: paths of parts with NUL between them. Source: Envoy's Context, getProperty and serializeValue.

Which properties there are is ``harness.sim.properties``'s.
"""

from __future__ import annotations

from typing import Final

from autowasm.abi.tables import Status
from harness.sim import values
from harness.sim.calls import answers
from harness.sim.contexts import Machine


def get_property(vm: Machine, path: int, size: int, *out: int) -> int:
    """Look one up."""
    raw = vm.read(path, size)
    if raw is None:
        return Status.INVALID_MEMORY_ACCESS
    first, *rest = raw.removesuffix(b"\0").split(b"\0")
    if not raw:
        return Status.SERIALIZATION_FAILURE
    value = vm.context.property(first)
    for part in rest:
        value = values.inside(value, part)
        if value is None:
            break
    if value is None:
        return Status.NOT_FOUND
    data = values.serialise(value)
    return Status.SERIALIZATION_FAILURE if data is None else answers.give(vm, data, *out)


def set_property(vm: Machine, path: int, size: int, value: int, count: int) -> int:
    """Keep a value with the stream."""
    name, data = vm.read(path, size), vm.read(value, count)
    if name is None or data is None:
        return Status.INVALID_MEMORY_ACCESS
    return vm.context.keep(name, data)


CALLS: Final = (get_property, set_property)
