"""Envoy's foreign functions. Source: Envoy, source/extensions/common/wasm/foreign.cc.

Expressions (expr_create and its neighbours) need a CEL interpreter, which is not here: they answer BAD_ARGUMENT, as
for an expression that cannot be parsed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

from autowasm.abi.tables import Status
from harness.sim.contexts import Machine

Foreign = Callable[[Machine, bytes], tuple[int, bytes | None]]
"""Gets its arguments, answers a status and a result, None for none."""


def compress(vm: Machine, data: bytes) -> tuple[int, bytes | None]:
    """With zlib."""
    del vm
    return Status.OK, zlib.compress(data)


def uncompress(vm: Machine, data: bytes) -> tuple[int, bytes | None]:
    """With zlib."""
    del vm
    try:
        return Status.OK, zlib.decompress(data)
    except zlib.error:
        return Status.SERIALIZATION_FAILURE, None


def clear_route_cache(vm: Machine, data: bytes) -> tuple[int, bytes | None]:
    """Choose the route once more."""
    del data
    vm.context.reroute()
    return Status.OK, None


def declare_property(vm: Machine, data: bytes) -> tuple[int, bytes | None]:
    """Say how a property is kept; only once."""
    name, read_only = _declaration(data)
    declared = vm.running.root.declared
    if name in declared:
        return Status.BAD_ARGUMENT, None
    declared[name] = read_only
    return Status.OK, None


def _declaration(data: bytes) -> tuple[bytes, bool]:
    """Fields 1 (name) and 5 (readonly) of DeclarePropertyArguments."""
    name, read_only, at = b"", False, 0
    while at + 1 < len(data):
        field, kind = data[at] >> 3, data[at] & 7
        if kind == 2:
            size = data[at + 1]
            name = data[at + 2 : at + 2 + size] if field == 1 else name
            at += 2 + size
        else:
            read_only = bool(data[at + 1]) if field == 5 else read_only
            at += 2
    return name, read_only


def not_here(vm: Machine, data: bytes) -> tuple[int, bytes | None]:
    """What the simulator does not do."""
    del vm, data
    return Status.BAD_ARGUMENT, None


_TABLE: Final[dict[bytes, Foreign]] = {
    b"clear_route_cache": clear_route_cache,
    b"compress": compress,
    b"declare_property": declare_property,
    b"expr_create": not_here,
    b"expr_delete": not_here,
    b"expr_evaluate": not_here,
    b"set_envoy_filter_state": not_here,
    b"sign": not_here,
    b"uncompress": uncompress,
    b"verify_signature": not_here,
}


def call_foreign_function(vm: Machine, name: int, size: int, *rest: int) -> int:
    """Call one by its name."""
    which, data = vm.read(name, size), vm.read(rest[0], rest[1])
    if which is None or data is None:
        return Status.INVALID_MEMORY_ACCESS
    function = _TABLE.get(which)
    if function is None:
        return Status.NOT_FOUND
    status, result = function(vm, data)
    pointer = 0
    if result is not None and rest[2]:
        pointer = vm.allocate(len(result))
        vm.write(pointer, result)
    for at, value in ((rest[2], pointer), (rest[3], len(result or b""))):
        if at and not vm.write(at, value.to_bytes(4, "little")):
            return Status.INVALID_MEMORY_ACCESS
    return status


CALLS: Final = (call_foreign_function,)
