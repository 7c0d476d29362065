"""Types in the Wasm binary format: of values, functions, memories, tables and globals.

Source: WebAssembly core specification 3.0, "Binary Format", Types, and the threads and memory64 parts of
it. Struct and array types are stepped over: a host function can never have one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from autowasm.abi.reader import MOST_PARAMETERS, MOST_TYPES, Malformed, Reader

_PLAIN: Final = {
    0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128",
    0x70: "funcref", 0x6F: "externref", 0x6E: "anyref", 0x6D: "eqref", 0x6C: "i31ref", 0x6B: "structref",
    0x6A: "arrayref", 0x69: "exnref", 0x71: "nullref", 0x72: "nullexternref", 0x73: "nullfuncref",
    0x74: "nullexnref",
}  # fmt: skip
_PACKED: Final = (0x78, 0x77)  # i8 and i16, in fields only
_REFERENCE: Final = {0x63: "(ref null {})", 0x64: "(ref {})"}

HOST_TYPES: Final = frozenset({"i32", "i64", "f32", "f64", "funcref", "externref"})
"""Types that V8's C API (wee8) knows;

A module that exports another one ends the whole Envoy (measured on 1.40).
"""


@dataclass(frozen=True, slots=True)
class Func:
    """The type of a function."""

    parameters: tuple[str, ...]
    results: tuple[str, ...]

    def __str__(self) -> str:
        """In the notation of the tables: ``(i32, i32) -> i32``, ``() -> ()``."""
        return f"({', '.join(self.parameters)}) -> {', '.join(self.results) or '()'}"

    @property
    def spaced(self) -> str:
        """In the notation of the C++ host's messages: ``i32 i32 -> i32``, ``void -> void``."""
        return f"{' '.join(self.parameters) or 'void'} -> {' '.join(self.results) or 'void'}"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a memory, in pages of ``page`` bytes; ``maximum`` is None where there is none."""

    minimum: int
    maximum: int | None
    shared: bool = False
    wide: bool = False
    page: int = 65536


def value(body: Reader) -> str:
    """The type of a value.

    Raises:
        Malformed: a byte that means none.
    """
    offset = body.offset
    number = body.byte("value type")
    if number in _PLAIN:
        return _PLAIN[number]
    if number in _REFERENCE:
        return _REFERENCE[number].format(_heap(body))
    raise Malformed(offset, f"value type must be a known one, found 0x{number:02x}")


def _heap(body: Reader) -> str:
    number = body.long("heap type")
    return _PLAIN[number].removesuffix("ref") if number in _PLAIN else str(number)


def recursive(body: Reader) -> Iterator[Func | None]:
    """The types of one recursive group, or a single one; None for what is not a function's.

    Raises:
        Malformed: it is none of them.
    """
    if body.peek() != 0x4E:
        yield _sub(body)
        return
    body.byte("group")
    for _ in range(body.count(MOST_TYPES, "types")):
        yield _sub(body)


def _sub(body: Reader) -> Func | None:
    if body.peek() in (0x4F, 0x50):
        body.byte("subtype")
        for _ in range(body.count(MOST_PARAMETERS, "supertypes")):
            body.u32("supertype")
    offset = body.offset
    number = body.byte("type")
    if number == 0x60:
        return Func(_values(body, "parameters"), _values(body, "results"))
    if number == 0x5F:
        for _ in range(body.count(MOST_TYPES, "fields")):
            _field(body)
        return None
    if number == 0x5E:
        _field(body)
        return None
    raise Malformed(offset, f"type must be a function's, a struct's or an array's, found 0x{number:02x}")


def _values(body: Reader, what: str) -> tuple[str, ...]:
    return tuple(value(body) for _ in range(body.count(MOST_PARAMETERS, what)))


def _field(body: Reader) -> None:
    if body.peek() in _PACKED:
        body.byte("packed type")
    else:
        value(body)
    _mutability(body)


def _mutability(body: Reader) -> str:
    offset = body.offset
    number = body.byte("mutability")
    if number > 1:
        raise Malformed(offset, f"mutability must be 0 or 1, found {number}")
    return "mut " if number else ""


def limits(body: Reader) -> Limits:
    """Limits of a memory or a table.

    Raises:
        Malformed: unknown flags.
    """
    offset = body.offset
    flags = body.byte("limits")
    if flags > 0x0F:
        raise Malformed(offset, f"limits must have flags of four bits, found 0x{flags:02x}")
    minimum = body.long("minimum")
    maximum = body.long("maximum") if flags & 1 else None
    offset = body.offset
    power = body.u32("page size") if flags & 8 else 16
    if power > 16:
        raise Malformed(offset, f"page size must be at most 2**16 bytes, found 2**{power}")
    return Limits(minimum, maximum, bool(flags & 2), bool(flags & 4), 1 << power)


def table(body: Reader) -> tuple[str, Limits]:
    """The type of a table: that of its elements, and its limits in elements.

    Raises:
        Malformed: unknown types or flags.
    """
    element = value(body)
    return element, limits(body)


def global_(body: Reader) -> str:
    """The type of a global, with ``mut`` where it can change.

    Raises:
        Malformed: an unknown type or mutability.
    """
    of = value(body)
    return _mutability(body) + of
