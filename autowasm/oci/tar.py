"""Finds the module in a tar stream, in bounded memory: ustar and pax (IEEE 1003.1, pax), GNU long names.

A stranger wrote these headers: sizes are counted against and never allocated, paths are compared and never
used, and a header whose checksum is wrong ends the reading. The module is the first file called plugin.wasm
in whatever folder (as Istio has it), else the only file that ends in .wasm.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

from autowasm import limits
from autowasm.oci import blame

BLOCK: Final = 512
MODULE_NAME: Final = b"plugin.wasm"

_HEADER_ONLY: Final = b"123456"  # links, devices and folders have no content, whatever their size says
_FILE: Final = b"\x0007"
_PAX: Final = b"x"
_GNU_NAME: Final = b"L"
_COUNTS: Final = (b"path", b"size")  # of pax records; others are not kept, there may be any number of them


@dataclass(slots=True)
class _Entry:
    kind: bytes
    name: bytes
    size: int


class Finder:
    """Fed with the stream in pieces of any length; ``done`` once nothing that may follow matters."""

    def __init__(self, origin: blame.Origin) -> None:
        self._origin = origin
        self._head = bytearray()
        self._left = 0  # content of the present entry still to come
        self._padding = 0
        self._keep: io.BytesIO | None = None
        self._entry: _Entry | None = None
        self._extended: dict[bytes, bytes] = {}  # what a pax or GNU entry says of the next one
        self._entries = 0
        self._others: list[bytes] = []
        self._spare: bytes | None = None
        self._module: bytes | None = None
        self.done = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises errors.Final: NoModule for broken headers, TooLarge beyond a cap."""
        view = memoryview(data)
        while view and not self.done:
            view = self._content(view) if self._left or self._padding else self._header(view)

    def finish(self) -> bytes:
        """The module, at the end of the stream. Raises errors.Final, reason NoModule, where there is none."""
        if self._module is not None:
            return self._module
        if self._left or self._head:
            raise self._origin.no_module("the tar must be whole, it ends inside an entry")
        if self._spare is not None and len(self._others) == 1:
            return self._spare
        if self._others:
            names = ", ".join(ascii(name)[1:100] for name in self._others[:4])
            raise self._origin.no_module(f"the tar must hold plugin.wasm or one *.wasm file, found {names}")
        raise self._origin.no_module(
            f"the tar must hold plugin.wasm, none of its {self._entries} entries is it"
        )

    def _header(self, view: memoryview) -> memoryview:
        wanted = BLOCK - len(self._head)
        self._head += view[:wanted]
        if len(self._head) == BLOCK:
            block = bytes(self._head)
            self._head.clear()
            self._begin(block)
        return view[wanted:]

    def _begin(self, block: bytes) -> None:
        if not any(block):
            self.done = True  # the end mark; what follows is padding
            return
        if not is_header(block):
            raise self._origin.no_module(
                f"a tar header must have its checksum, entry {self._entries + 1} has not"
            )
        self._entries += 1
        if self._entries > limits.TAR_ENTRIES:
            raise self._origin.too_large(f"the tar must have at most {limits.TAR_ENTRIES} entries")
        entry = self._read(block)
        self._entry = entry
        self._left = entry.size
        self._padding = -entry.size % BLOCK
        self._keep = self._bucket(entry)
        if not self._left:
            self._end()

    def _read(self, block: bytes) -> _Entry:
        kind = block[156:157]
        size = 0 if kind in _HEADER_ONLY else self._number(block[124:136])
        name = _text(block[0:100])
        if block[257:263] == b"ustar\0" and block[345]:
            name = _text(block[345:500]) + b"/" + name
        if kind in _FILE:
            name = self._extended.get(b"path", name)
            size = self._decimal(self._extended.get(b"size"), size)
            self._extended = {}
        return _Entry(kind, name, size)

    def _number(self, field: bytes) -> int:
        if field[0] & 0x80:  # GNU base-256, for sizes beyond 8 GiB
            return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        digits = field.strip(b" \0")
        if digits.strip(b"01234567"):
            raise self._origin.no_module(f"a tar entry's size must be octal, found {field!a}")
        return int(digits or b"0", 8)

    def _decimal(self, digits: bytes | None, otherwise: int) -> int:
        if digits is None:
            return otherwise
        if not digits.isdigit() or len(digits) > 20:
            raise self._origin.no_module(f"a pax size must be decimal, found {digits[:20]!a}")
        return int(digits)

    def _bucket(self, entry: _Entry) -> io.BytesIO | None:
        """Where the content of this entry goes, None where it is skipped."""
        if entry.kind in (_PAX, _GNU_NAME):
            if entry.size > limits.TAR_EXTENSION_BYTES:
                raise self._origin.too_large(
                    f"a tar extension must have at most {limits.TAR_EXTENSION_BYTES} bytes, has {entry.size}"
                )
            return io.BytesIO()
        if entry.kind not in _FILE or not self._wanted(entry):
            return None
        if entry.size > limits.MODULE_BYTES:
            raise self._origin.too_large(
                f"the module must have at most {limits.MODULE_BYTES} bytes, has {entry.size}"
            )
        return io.BytesIO()

    def _wanted(self, entry: _Entry) -> bool:
        base = entry.name.rpartition(b"/")[2]
        if base == MODULE_NAME:
            self._spare = None
            return True
        if not base.endswith(b".wasm") or base.startswith(b".wh."):  # .wh. marks a deletion in an image layer
            return False
        self._others.append(base[:100])
        if len(self._others) > 1:
            self._spare = None
        return len(self._others) == 1

    def _content(self, view: memoryview) -> memoryview:
        if not self._left:
            skipped = min(self._padding, len(view))
            self._padding -= skipped
            return view[skipped:]
        piece = view[: self._left]
        if self._keep is not None:
            self._keep.write(piece)
        self._left -= len(piece)
        if not self._left:
            self._end()
        return view[len(piece) :]

    def _end(self) -> None:
        entry, keep = self._entry, self._keep
        self._entry = self._keep = None
        if entry is None or keep is None:
            return
        content = keep.getvalue()  # shares the buffer, does not copy it
        if entry.kind == _PAX:
            self._extended |= _pax(content)
        elif entry.kind == _GNU_NAME:
            self._extended[b"path"] = _text(content)
        elif entry.name.rpartition(b"/")[2] == MODULE_NAME:
            self._module = content
            self.done = True
        else:
            self._spare = content


def is_header(block: bytes) -> bool:
    """Whether these 512 bytes are a tar header: its checksum counts itself as eight spaces."""
    if len(block) != BLOCK:
        return False
    digits = block[148:156].strip(b" \0")
    if not digits or digits.strip(b"01234567"):
        return False
    return int(digits, 8) == sum(block) - sum(block[148:156]) + 8 * 0x20


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _pax(content: bytes) -> dict[bytes, bytes]:
    """Records of a length, a key and a value; a broken rest is left out: it names no module."""
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(content):
        digits, space, _ = content[at : at + 8].partition(b" ")
        if not space or not digits.isdigit() or int(digits) <= len(digits) + 1:
            break
        key, _, value = content[at + len(digits) + 1 : at + int(digits)].partition(b"=")
        if key in _COUNTS:
            records[key] = value.removesuffix(b"\n")
        at += int(digits)
    return records
