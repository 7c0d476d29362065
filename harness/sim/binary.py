"""What the host reads of a module by itself before the engine does: its ABI version, and names of functions.

Source: proxy-wasm-cpp-host, src/bytecode_util.cc, lapses included: it skips eight bytes whatever they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from autowasm.abi.tables import ABIS

_MAGIC: Final = b"\0asm"
_HEADER: Final = 8
_CUSTOM, _EXPORTS = 0, 7
_FUNCTION_NAMES: Final = 1
_MARKERS: Final = {f"proxy_abi_version_{abi.replace('.', '_')}".encode(): abi for abi in ABIS}


class Corrupted(ValueError):
    """The host cannot find its way through the bytes."""


class Reader:
    """A place in bytes, which ends at ``end``."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, end

    def byte(self) -> int:
        """One byte."""
        if self.at >= self.end:
            raise Corrupted
        self.at += 1
        return self.data[self.at - 1]

    def peek(self) -> int:
        """The next byte, which stays."""
        if self.at >= self.end:
            raise Corrupted
        return self.data[self.at]

    def number(self) -> int:
        """An unsigned LEB128 of at most 30 bits, which is all that the host takes."""
        total = 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            if shift == 28 and byte & 0x7F > 3:
                raise Corrupted
            total += (byte & 0x7F) << shift
            if not byte & 0x80:
                return total
        raise Corrupted

    def sized(self) -> Reader:
        """What follows, with its size before it."""
        size = self.number()
        if self.at + size > self.end:
            raise Corrupted
        self.at += size
        return Reader(self.data, self.at - size, self.at)

    def text(self) -> bytes:
        """What follows, with its size before it, as bytes."""
        part = self.sized()
        return self.data[part.at : part.end]


def abi(module: bytes) -> str | None:
    """The ABI version: of the first marker among the exported functions; None for none.

    Raises:
        Corrupted: the host would say so.
    """
    for kind, section in sections(module):
        if kind == _EXPORTS:
            return _marker(section)
    return None


def sections(module: bytes) -> Iterator[tuple[int, Reader]]:
    """The sections by their numbers.

    Raises:
        Corrupted: the host cannot find its way through them.
    """
    if len(module) >= _HEADER and not module.startswith(_MAGIC):
        raise Corrupted
    reader = Reader(module, _HEADER, len(module))
    while reader.at < reader.end:
        kind = reader.byte()
        yield kind, reader.sized()


def _marker(section: Reader) -> str | None:
    count = section.number()
    if section.at + count > section.end:
        raise Corrupted
    for _ in range(count):
        name = section.text()
        if section.byte() == 0 and name in _MARKERS:
            return _MARKERS[name]
        section.number()
    return None


def check_names(module: bytes) -> None:
    """Read the names of functions.

    Raises:
        Corrupted: they cannot be read.
    """
    for kind, section in sections(module):
        if kind == _CUSTOM and section.text() == b"name":
            _read_names(section)
            return


def _read_names(section: Reader) -> None:
    while section.at < section.end:
        kind = section.byte()
        part = section.sized()
        if kind == _FUNCTION_NAMES:
            for _ in range(part.number()):
                part.number()
                part.text()
            if part.at != part.end:
                raise Corrupted
