"""Header maps as Envoy keeps them, ordered and with repetitions, and how the ABI writes them down.

Source: Envoy, source/extensions/common/wasm/context.cc (getHeaderMapValue and its neighbours); the
serialisation is the Proxy-Wasm specification's, abi-versions/v0.2.1, Serialization.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

_MOST_PAIRS: Final = 1024
_MOST_BYTES: Final = 1 << 20


@dataclass(slots=True)
class HeaderMap:
    """Names and values as bytes, in the order in which they go over the wire."""

    pairs: list[tuple[bytes, bytes]] = field(default_factory=list)

    def get(self, name: bytes) -> bytes | None:
        """The first value of a header."""
        key = name.lower()
        return next((value for other, value in self.pairs if other == key), None)

    def add(self, name: bytes, value: bytes) -> None:
        """One more value."""
        self.pairs.append((name.lower(), value))

    def replace(self, name: bytes, value: bytes) -> None:
        """One value instead of all there were, at the place of the first."""
        key = name.lower()
        at = next((i for i, (other, _) in enumerate(self.pairs) if other == key), len(self.pairs))
        self.remove(name)
        self.pairs.insert(at, (key, value))

    def remove(self, name: bytes) -> None:
        """All values of a header."""
        key = name.lower()
        self.pairs = [pair for pair in self.pairs if pair[0] != key]

    def byte_size(self) -> int:
        """Bytes of all names and values."""
        return sum(len(name) + len(value) for name, value in self.pairs)


def of(pairs: Iterable[tuple[str, str]]) -> HeaderMap:
    """A map of text, as requests bring it (latin-1, RFC 9110 section 5.5)."""
    return HeaderMap([(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs])


def serialise(pairs: list[tuple[bytes, bytes]]) -> bytes:
    """Count, lengths, then names and values with a NUL behind each; nothing at all for no pairs."""
    if not pairs:
        return b""
    head = b"".join(_number(len(name)) + _number(len(value)) for name, value in pairs)
    return _number(len(pairs)) + head + b"".join(name + b"\0" + value + b"\0" for name, value in pairs)


def parse(data: bytes) -> list[tuple[bytes, bytes]]:
    """Read what a module wrote; whatever breaks the format is no pair at all, as the host has it."""
    if len(data) < 4 or len(data) > _MOST_BYTES:
        return []
    count = int.from_bytes(data[:4], "little")
    at = 4 + 8 * count
    if count > _MOST_PAIRS or at > len(data):
        return []
    pairs = []
    for entry in range(4, at, 8):
        lengths = [int.from_bytes(data[i : i + 4], "little") for i in (entry, entry + 4)]
        taken = []
        for length in lengths:
            if at + length + 1 > len(data) or data[at + length] != 0:
                return []
            taken.append(data[at : at + length])
            at += length + 1
        pairs.append((taken[0].lower(), taken[1]))
    return pairs


def _number(value: int) -> bytes:
    return value.to_bytes(4, "little")
