"""Values of properties, and how the host writes them down. Source: Envoy's Context, getProperty and serializeValue."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from harness.sim import maps
from harness.sim.maps import HeaderMap


class Fields(dict[str, Any]):
    """A map that can be written down, as pairs; a plain dict is a group of properties, which cannot."""


class Message(dict[str, Any]):
    """A protobuf message: fields by name, and its serialised form, which is empty here."""


def struct_of(document: Mapping[str, Any]) -> Fields:
    """A protobuf Struct: numbers are doubles."""
    return Fields({name: _struct_value(value) for name, value in document.items()})


def _struct_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return struct_of(value)
    if isinstance(value, list):
        return [_struct_value(each) for each in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def inside(value: Any, part: bytes) -> Any:
    """What is in a value under a name; None for nothing."""
    if isinstance(value, HeaderMap):
        found = [text for name, text in value.pairs if name == part.lower()]
        return b",".join(found) if found else None
    if isinstance(value, Mapping):
        return value.get(part.decode("utf-8", "replace"))
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
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, Message):
        return b""
    return _several(value)


def _several(value: Any) -> bytes | None:
    if isinstance(value, HeaderMap):
        pairs = [(name, inside(value, name)) for name in dict(value.pairs)]
    elif isinstance(value, Fields):
        pairs = [(name.encode(), serialise(each)) for name, each in value.items()]
    elif isinstance(value, list):
        pairs = [(serialise(each) or b"", b"") for each in value]
    else:
        return None
    return maps.serialise([(name, text or b"") for name, text in pairs]) or bytes(4)
