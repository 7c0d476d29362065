"""How a host function hands a result over: the statuses for memory that is not there."""

from __future__ import annotations

from autowasm.abi.tables import Status
from harness.sim.contexts import Machine


def put(vm: Machine, at: int, value: int, size: int = 4) -> int:
    """Write a number of so many bytes."""
    fine = vm.write(at, value.to_bytes(size, "little"))
    return Status.OK if fine else Status.INVALID_MEMORY_ACCESS


def give(vm: Machine, data: bytes | bytearray, pointer_at: int, size_at: int) -> int:
    """Copy into memory that the module allocates, and tell where."""
    pointer = 0
    if data:
        pointer = vm.allocate(len(data))
        if pointer == 0 or not vm.write(pointer, bytes(data)):
            return Status.INVALID_MEMORY_ACCESS
    return put(vm, pointer_at, pointer) or put(vm, size_at, len(data))
