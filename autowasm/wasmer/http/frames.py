"""Watches the lengths of HTTP/2 frames as they come (RFC 9113, section 4.1).

The library waits for the whole of a frame before it judges its length, and a frame may claim 16 MiB.
"""

from __future__ import annotations

from typing import Final

MOST: Final = 16_384
"""Largest payload: what SETTINGS_MAX_FRAME_SIZE begins with, and is left at."""

_HEADER: Final = 9


class Frames:
    """The frames of one connection; ``skip`` bytes come before the first."""

    def __init__(self, skip: int) -> None:
        self._skip = skip
        self._header = bytearray()

    def fit(self, data: bytes) -> bool:
        """Whether no frame that begins in these next bytes is too long."""
        position = 0
        while position < len(data):
            step = min(self._skip, len(data) - position)
            self._skip -= step
            position += step
            piece = data[position : position + _HEADER - len(self._header)]
            self._header += piece
            position += len(piece)
            if len(self._header) == _HEADER:
                length = int.from_bytes(self._header[:3], "big")
                if length > MOST:
                    return False
                self._skip = length
                self._header.clear()
        return True
