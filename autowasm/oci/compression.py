"""Streams inside a stream: gzip (RFC 1952) and zstd (RFC 8878), a bounded piece at a time.

A decompressor is fed and answers with at most so many bytes, whatever the input says of itself; it is asked
again until it wants more. Several members or frames one after the other are one stream, as pigz, eStargz and
zstd:chunked write them.
"""

from __future__ import annotations

import sys
import zlib
from typing import Final, Protocol

from autowasm import limits

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
_SKIPPABLE: Final = b"\x2a\x4d\x18"  # bytes 1 to 3 of a frame without content (RFC 8878, section 3.1.2)


class Broken(Exception):
    """The stream is none of its kind; the message says what the decompressor says."""


class Decompressor(Protocol):
    """One stream."""

    @property
    def name(self) -> str:
        """How it is called in messages."""

    @property
    def whole(self) -> bool:
        """Whether the stream could end here."""

    @property
    def pending(self) -> bool:
        """Whether more content can be had without more data."""

    @property
    def members(self) -> int:
        """How many members or frames have begun."""

    def step(self, data: bytes, most: int) -> tuple[bytes, bytes]:
        """At most ``most`` bytes of content, and what is left of the data. Raises Broken."""


def sniff(head: bytes) -> Decompressor | None:
    """The decompressor for a stream that begins with these four bytes, None where it is not compressed."""
    if head.startswith(GZIP):
        return Gzip()
    if head.startswith(ZSTD) or (head[1:4] == _SKIPPABLE and head[0] & 0xF0 == 0x50):
        return Zstd()
    return None


class Gzip:
    """Members of deflate, each with its checksum; zeros between and after them are padding."""

    name = "gzip"
    pending = False  # what was not read yet is the rest that a step returns

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self.members = 1

    @property
    def whole(self) -> bool:
        """Whether the last member has ended."""
        return self._member.eof

    def step(self, data: bytes, most: int) -> tuple[bytes, bytes]:
        """A piece of content and the rest of the data. Raises Broken."""
        if self._member.eof:
            data = data.lstrip(b"\0")
            if not data:
                return b"", b""
            self._member = zlib.decompressobj(wbits=31)
            self.members += 1
        try:
            piece = self._member.decompress(data, most)
        except zlib.error as error:
            raise Broken(str(error)) from error
        return piece, self._member.unused_data or self._member.unconsumed_tail


class Zstd:
    """Frames, each with a window of at most ``limits.ZSTD_WINDOW_LOG``: that much memory is the stream's to ask."""

    name = "zstd"

    def __init__(self) -> None:
        self._frame = _frame()
        self.members = 1

    @property
    def whole(self) -> bool:
        """Whether the last frame has ended."""
        return self._frame.eof

    def step(self, data: bytes, most: int) -> tuple[bytes, bytes]:
        """A piece of content and the rest of the data. Raises Broken."""
        if self._frame.eof:
            self._frame = _frame()
            self.members += 1
        try:
            piece = self._frame.decompress(data, most)
        except zstd.ZstdError as error:
            raise Broken(str(error)) from error
        return piece, self._frame.unused_data if self._frame.eof else b""

    @property
    def pending(self) -> bool:
        """Whether more content can be had without more data."""
        return not self._frame.eof and not self._frame.needs_input


def _frame() -> zstd.ZstdDecompressor:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: limits.ZSTD_WINDOW_LOG})
