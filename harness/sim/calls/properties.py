"""Properties: paths of parts with NUL between them. Source: Envoy's Context, getProperty and serializeValue.

Which properties there are is ``harness.sim.properties``'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from autowasm.abi.tables import Status
from harness.sim import maps
from harness.sim.calls import answers
from harness.sim.contexts import Machine
from harness.sim.maps import HeaderMap


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
        value = _inside(value, part)
        if value is None:
            break
    if value is None:
        return Status.NOT_FOUND
    data = serialise(value)
    return Status.SERIALIZATION_FAILURE if data is None else answers.give(vm, data, *out)


def _inside(value: Any, part: bytes) -> Any:
    if isinstance(value, HeaderMap):
        found = [text for name, text in value.pairs if name == part.lower()]
        return b",".join(found) if found else None
    if isinstance(value, Mapping):
        entry = value.get(part.decode("utf-8", "replace"))
        return entry() if callable(entry) else entry
    if isinstance(value, list):
        return value[int(part)] if part.isdigit() and int(part) < len(value) else None
    return None


def serialise(value: Any) -> bytes | None:
    """As the host writes a value down; None where it cannot be."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bool):
        return bytes((value,))
    if isinstance(value, int):
        return (value % 2**64).to_bytes(8, "little")
    if isinstance(value, HeaderMap):
        joined = {name: _inside(value, name) for name, _ in value.pairs}
        return maps.serialise(list(joined.items())) or bytes(4)
    if isinstance(value, Message):
        return value.data
    return bytes(4) if isinstance(value, Empty) else None


class Empty(dict[str, Any]):
    """A map without entries, which can be written down; other maps with named fields cannot."""


class Message(dict[str, Any]):
    """A protobuf message: fields by name, and its serialised form."""

    def __init__(self, data: bytes = b"", **fields: Any) -> None:
        super().__init__(**fields)
        self.data = data


def set_property(vm: Machine, path: int, size: int, value: int, count: int) -> int:
    """Keep a value with the stream."""
    name, data = vm.read(path, size), vm.read(value, count)
    if name is None or data is None:
        return Status.INVALID_MEMORY_ACCESS
    return vm.context.keep(name, data)


CALLS: Final = (get_property, set_property)
