"""From the bytes of a layer or a download to the module in them, in bounded memory and by their own look.

    bytes ::= wasm | gzip(bytes) or zstd(bytes), once | tar with plugin.wasm

Fed in pieces, so that a download is unpacked while it runs: at any time no more is held than the module so
far. What was announced (media type, file name, header sizes) counts for nothing here.
"""

from __future__ import annotations

import io
from typing import Final, Protocol

from autowasm import limits
from autowasm.oci import blame, compression, tar

WASM: Final = b"\0asm"
_MAGIC_BYTES: Final = 4


class _Stage(Protocol):
    """One step of the way; ``done`` once nothing that may follow matters."""

    @property
    def done(self) -> bool: ...

    def feed(self, data: bytes) -> None: ...

    def finish(self) -> bytes: ...


class Unpacker:
    """Fed with the stream in pieces of any length; knows a form by its first bytes."""

    def __init__(self, origin: blame.Origin, *, packed: str = "") -> None:
        self._origin = origin
        self._packed = packed  # the compression that this is inside of already
        self._head = bytearray()
        self._stage: _Stage | None = None

    @property
    def done(self) -> bool:
        """Whether nothing that may follow matters."""
        return self._stage is not None and self._stage.done

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            errors.Final: reason NoModule: they are of no known form, or broken; TooLarge: beyond a cap.
        """
        if self._stage is None:
            self._head += data
            self._stage = self._open()
            if self._stage is None:
                return
            data = bytes(self._head)
            self._head.clear()
        if not self._stage.done:
            self._stage.feed(data)

    def finish(self) -> bytes:
        """The module, at the end of the stream.

        Raises:
            errors.Final: reason NoModule: there is none, or the stream is cut off.
        """
        if self._stage is None:
            raise self._unknown()
        return self._stage.finish()

    def _open(self) -> _Stage | None:
        """The stage for what these first bytes are, None while they are too few to say."""
        head = bytes(self._head[: tar.BLOCK])
        if len(head) < _MAGIC_BYTES:
            return None
        if head.startswith(WASM):
            return _Whole(self._origin)
        stream = compression.sniff(head)
        if stream is not None:
            if self._packed:
                raise self._origin.no_module(
                    f"{self._packed} must hold wasm or a tar, found {stream.name} again"
                )
            return _Compressed(self._origin, stream)
        if len(head) == tar.BLOCK and not tar.is_header(head):
            raise self._unknown()
        return tar.Finder(self._origin) if len(head) == tar.BLOCK else None

    def _unknown(self) -> Exception:
        found = ascii(bytes(self._head[:8]))[1:]
        return self._origin.no_module(f"must be wasm, gzip, zstd or a tar, begins with {found}")


class _Whole:
    """Bare Wasm: everything to the end is the module."""

    def __init__(self, origin: blame.Origin) -> None:
        self._origin = origin
        self._bytes = io.BytesIO()
        self.done = False

    def feed(self, data: bytes) -> None:
        if self._bytes.tell() + len(data) > limits.MODULE_BYTES:
            raise self._origin.too_large(f"the module must have at most {limits.MODULE_BYTES} bytes")
        self._bytes.write(data)

    def finish(self) -> bytes:
        return self._bytes.getvalue()  # shares the buffer, does not copy it


class _Compressed:
    """A compressed stream, read to its end also where the module is complete: its checksums say whether it is sound."""

    done = False

    def __init__(self, origin: blame.Origin, stream: compression.Decompressor) -> None:
        self._origin = origin
        self._stream = stream
        self._inner = Unpacker(origin, packed=stream.name)
        self._taken = 0
        self._total = 0

    def feed(self, data: bytes) -> None:
        for at in range(0, len(data), limits.UNPACK_STEP_BYTES):
            rest = data[at : at + limits.UNPACK_STEP_BYTES]
            self._taken += len(rest)
            while rest or self._stream.pending:
                rest = self._step(rest)

    def finish(self) -> bytes:
        if not self._stream.whole:
            raise self._origin.no_module(f"{self._stream.name} must be whole, it is cut off")
        return self._inner.finish()

    def _step(self, data: bytes) -> bytes:
        """Decompress one piece and return what is left of the data."""
        try:
            piece, rest = self._stream.step(data, limits.READ_BYTES)
        except compression.Broken as error:
            name = self._stream.name
            raise self._origin.no_module(f"{name} must be sound, it is not: {error}") from error
        self._total += len(piece)
        self._check()
        if piece:
            self._inner.feed(piece)
        return rest

    def _check(self) -> None:
        if self._stream.members > limits.STREAM_MEMBERS:
            raise self._origin.too_large(
                f"{self._stream.name} must have at most {limits.STREAM_MEMBERS} members, has more"
            )
        if self._total > limits.UNPACKED_BYTES:
            raise self._origin.too_large(f"must unpack to at most {limits.UNPACKED_BYTES} bytes")
        if self._total > limits.UNPACK_RATIO_FROM_BYTES and self._total > limits.UNPACK_RATIO * self._taken:
            raise self._origin.too_large(
                f"must unpack to at most {limits.UNPACK_RATIO} times its own size, {self._taken} bytes give more"
            )
