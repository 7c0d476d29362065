"""Header maps. Source: proxy-wasm-cpp-host, src/exports.cc; Envoy's Context for which map is there when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from autowasm.abi.tables import MapType, Status
from harness.sim import maps
from harness.sim.calls import answers
from harness.sim.contexts import Machine
from harness.sim.maps import HeaderMap

_KINDS: Final = {int(kind): kind for kind in MapType}


def add_header_map_value(vm: Machine, kind: int, *rest: int) -> int:
    """One more value."""
    return _set(vm, kind, rest, HeaderMap.add)


def replace_header_map_value(vm: Machine, kind: int, *rest: int) -> int:
    """One value instead of all."""
    return _set(vm, kind, rest, HeaderMap.replace)


def _set(
    vm: Machine, kind: int, rest: tuple[int, ...], change: Callable[[HeaderMap, bytes, bytes], None]
) -> int:
    which = _KINDS.get(kind)
    if which is None:
        return Status.BAD_ARGUMENT
    name, value = vm.read(rest[0], rest[1]), vm.read(rest[2], rest[3])
    if name is None or value is None:
        return Status.INVALID_MEMORY_ACCESS
    headers = vm.context.changeable(which)
    if headers is None:
        return Status.BAD_ARGUMENT
    change(headers, name, value)
    vm.context.touched(which)
    return Status.OK


def remove_header_map_value(vm: Machine, kind: int, pointer: int, size: int) -> int:
    """No value any more."""
    which = _KINDS.get(kind)
    if which is None:
        return Status.BAD_ARGUMENT
    name = vm.read(pointer, size)
    if name is None:
        return Status.INVALID_MEMORY_ACCESS
    headers = vm.context.changeable(which)
    if headers is None:
        return Status.BAD_ARGUMENT
    headers.remove(name)
    vm.context.touched(which)
    return Status.OK


def get_header_map_value(vm: Machine, kind: int, pointer: int, size: int, *out: int) -> int:
    """The first value; one that is not there is empty in ABI 0.1.0 and not found later."""
    which = _KINDS.get(kind)
    if which is None:
        return Status.BAD_ARGUMENT
    name = vm.read(pointer, size)
    if name is None:
        return Status.INVALID_MEMORY_ACCESS
    headers = vm.context.readable(which)
    if headers is None and not vm.context.logging:
        return Status.BAD_ARGUMENT
    value = None if headers is None else headers.get(name)
    if value is None and vm.abi != "0.1.0":
        return Status.NOT_FOUND
    return answers.give(vm, value or b"", *out)


def get_header_map_pairs(vm: Machine, kind: int, *out: int) -> int:
    """All of them; nothing where there is no map."""
    which = _KINDS.get(kind)
    if which is None:
        return Status.BAD_ARGUMENT
    headers = vm.context.readable(which)
    return answers.give(vm, maps.serialise(headers.pairs if headers is not None else []), *out)


def set_header_map_pairs(vm: Machine, kind: int, pointer: int, size: int) -> int:
    """Other ones."""
    which = _KINDS.get(kind)
    if which is None:
        return Status.BAD_ARGUMENT
    data = vm.read(pointer, size)
    if data is None:
        return Status.INVALID_MEMORY_ACCESS
    headers = vm.context.changeable(which)
    if headers is None:
        return Status.BAD_ARGUMENT
    headers.pairs = []
    for name, value in maps.parse(data):
        headers.add(name, value)
    vm.context.touched(which)
    return Status.OK


def get_header_map_size(vm: Machine, kind: int, at: int) -> int:
    """Their bytes."""
    which = _KINDS.get(kind)
    if which is None:
        return Status.BAD_ARGUMENT
    headers = vm.context.changeable(which)
    return Status.BAD_ARGUMENT if headers is None else answers.put(vm, at, headers.byte_size())


CALLS: Final = (
    add_header_map_value, get_header_map_pairs, get_header_map_size, get_header_map_value, remove_header_map_value,
    replace_header_map_value, set_header_map_pairs,
)  # fmt: skip
