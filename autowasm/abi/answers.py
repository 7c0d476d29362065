"""How a host function hands a result over: the statuses for memory that is not there."""

from __future__ import annotations

from autowasm.abi.tables import Status
from autowasm.abi.world import World


def put(world: World, at: int, value: int, size: int = 4) -> int:
    """Write a number of so many bytes."""
    return Status.OK if world.put(at, value, size) else Status.INVALID_MEMORY_ACCESS


def give(world: World, data: bytes, pointer_at: int, size_at: int) -> int:
    """Copy bytes into memory that the module allocates, and write where they are."""
    return Status.OK if world.hand_over(data, pointer_at, size_at) else Status.INVALID_MEMORY_ACCESS
