"""A bounded cursor over bytes: the primitive encodings of the Wasm binary format.

Source: WebAssembly core specification 3.0, "Binary Format", Conventions and Values. Counts are limited as V8
limits them (v8/src/wasm/wasm-limits.h), so that a module of one byte an entry cannot cost more than a second.
"""

from __future__ import annotations

from typing import Final

from autowasm import errors

MOST_TYPES: Final = 1_000_000
MOST_FUNCTIONS: Final = 1_000_000
MOST_IMPORTS: Final = 1_000_000
MOST_EXPORTS: Final = 1_000_000
MOST_GLOBALS: Final = 1_000_000
MOST_TABLES: Final = 100_000
MOST_MEMORIES: Final = 100_000
MOST_PARAMETERS: Final = 1_000
NAME_BYTES: Final = 100_000
MOST_ENTRIES: Final = 3_000_000
"""Entries of all vectors of a module together, custom sections and operators of initialisers counted: what no tool
makes, read in some seconds at worst."""

SECTION: Final = 8
"""A section counts as so many entries: it costs more."""


class Malformed(errors.Final):
    """Bytes that break the binary format; ``offset`` counts from the module's first byte."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message, side="module", reason="Malformed")
        self.offset = offset


class Reader:
    """A cursor from ``offset`` up to ``end``, that never reads outside them.

    Cursors over parts share one count of entries.
    """

    __slots__ = ("_data", "_end", "_entries", "offset")

    def __init__(self, data: bytes, offset: int = 0, end: int | None = None) -> None:
        self._data = data
        self.offset = offset
        self._end = len(data) if end is None else end
        self._entries = [0]

    @property
    def left(self) -> int:
        """How many bytes are still to come."""
        return self._end - self.offset

    @property
    def at_end(self) -> bool:
        """Whether all bytes were read."""
        return self.offset >= self._end

    def byte(self, what: str) -> int:
        """One byte.

        Raises:
            Malformed: there is none.
        """
        if self.offset >= self._end:
            raise Malformed(self.offset, f"{what} must be there, found the end")
        value = self._data[self.offset]
        self.offset += 1
        return value

    def peek(self) -> int | None:
        """The next byte, which stays to be read, or None at the end."""
        return None if self.at_end else self._data[self.offset]

    def take(self, size: int, what: str) -> bytes:
        """So many bytes.

        Raises:
            Malformed: there are fewer.
        """
        self._need(size, what)
        taken = self._data[self.offset : self.offset + size]
        self.offset += size
        return taken

    def part(self, size: int, what: str) -> Reader:
        """A cursor over the next so many bytes, which this one steps over.

        Raises:
            Malformed: there are fewer.
        """
        self._need(size, what)
        inner = Reader(self._data, self.offset, self.offset + size)
        inner._entries = self._entries
        self.offset += size
        return inner

    def u32(self, what: str) -> int:
        """An unsigned LEB128 number of at most 32 bits in at most five bytes.

        Raises:
            Malformed: more bytes, more bits, or the end.
        """
        value = self.byte(what)
        if value < 0x80:
            return value
        start, value, shift = self.offset - 1, value & 0x7F, 7
        while True:
            part = self.byte(what)
            value |= (part & 0x7F) << shift
            if part < 0x80:
                break
            shift += 7
            if shift > 28:
                raise Malformed(start, f"{what} must be a number of at most five bytes")
        if value > 0xFFFF_FFFF:
            raise Malformed(start, f"{what} must be a number of at most 32 bits, found {value}")
        return value

    def long(self, what: str) -> int:
        """A LEB128 number of at most ten bytes, signed or not: mostly, only its end is of interest.

        Raises:
            Malformed: more bytes or the end.
        """
        start, value = self.offset, 0
        for shift in range(0, 70, 7):
            part = self.byte(what)
            value |= (part & 0x7F) << shift
            if part < 0x80:
                return value
        raise Malformed(start, f"{what} must be a number of at most ten bytes")

    def count(self, most: int, what: str) -> int:
        """The length of a vector, of which each entry takes at least one byte.

        Raises:
            Malformed: more than the limit, or more than there are bytes.
        """
        start = self.offset
        value = self.u32(f"number of {what}")
        if value > most:
            raise Malformed(start, f"number of {what} must be at most {most}, found {value}")
        if value > self.left:
            raise Malformed(start, f"number of {what} must fit into {self.left} bytes, found {value}")
        self.entry(value)
        return value

    def entry(self, number: int = 1) -> None:
        """Count entries that are about to be read.

        Raises:
            Malformed: there are more than any tool makes.
        """
        self._entries[0] += number
        if self._entries[0] > MOST_ENTRIES:
            raise Malformed(self.offset, f"a module must have at most {MOST_ENTRIES} entries in all")

    def name(self, what: str) -> str:
        """A name: UTF-8 behind its length.

        Raises:
            Malformed: too long, cut off, or not UTF-8.
        """
        start = self.offset
        size = self.u32(f"length of {what}")
        if size > NAME_BYTES:
            raise Malformed(start, f"{what} must have at most {NAME_BYTES} bytes, found {size}")
        try:
            return self.take(size, what).decode("utf-8")
        except UnicodeDecodeError as fault:
            raise Malformed(start, f"{what} must be UTF-8") from fault

    def _need(self, size: int, what: str) -> None:
        if size > self.left:
            raise Malformed(self.offset, f"{what} must have {size} bytes, found {self.left}")
