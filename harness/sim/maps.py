"""Headers as Envoy keeps them, and how the ABI writes them down.

Source: Envoy, source/common/http/header_map_impl.cc: pseudo headers come first; a header of an inline entry has
one value, to which further ones are joined; others repeat; setting removes all and appends. The serialisation is
the host's: proxy-wasm-cpp-host, src/pairs_util.cc.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final

_MOST_PAIRS: Final = 1024
_MOST_BYTES: Final = 1 << 20

Pair = tuple[bytes, bytes]

_BOTH: Final = (
    b"connection", b"content-length", b"content-type", b"keep-alive", b"proxy-connection", b"proxy-status",
    b"transfer-encoding", b"upgrade", b"via", b"x-request-id", b"x-envoy-decorator-operation", b"cache-control",
)  # fmt: skip
_REQUEST: Final = (
    b":authority", b":method", b":path", b":protocol", b":scheme", b"accept", b"accept-encoding",
    b"access-control-request-headers", b"access-control-request-method", b"authorization", b"expect",
    b"grpc-timeout",
    b"if-match", b"origin", b"pragma", b"referer", b"te", b"user-agent", b"x-client-trace-id",
    b"x-forwarded-client-cert",
    b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-proto",
    b"x-envoy-expected-rq-timeout-ms", b"x-envoy-internal", b"x-envoy-original-path",
)  # fmt: skip
_RESPONSE: Final = (
    b":status", b"access-control-allow-credentials", b"access-control-allow-headers", b"access-control-allow-methods",
    b"access-control-allow-origin", b"access-control-expose-headers", b"access-control-max-age", b"content-encoding",
    b"date", b"etag", b"grpc-message", b"grpc-status", b"server", b"vary", b"x-envoy-upstream-service-time",
)  # fmt: skip


class Kind(Enum):
    """Whose headers they are, which decides what is inline."""

    REQUEST = frozenset((*_BOTH, *_REQUEST))
    RESPONSE = frozenset((*_BOTH, *_RESPONSE))
    REQUEST_TRAILERS = frozenset[bytes]()
    RESPONSE_TRAILERS = frozenset((b"grpc-message", b"grpc-status"))


class HeaderMap:
    """Names and values as bytes, in the order in which they go over the wire."""

    __slots__ = ("_inline", "kind", "pairs")

    def __init__(self, kind: Kind, pairs: Iterable[Pair] = ()) -> None:
        """Add pairs one by one, as a codec does."""
        self.kind = kind
        self._inline: frozenset[bytes] = kind.value
        self.pairs: list[Pair] = []
        for name, value in pairs:
            self.add(name, value)

    def copy(self) -> HeaderMap:
        """The same headers, to be changed on their own."""
        made = HeaderMap(self.kind)
        made.pairs = self.pairs.copy()
        return made

    def _key(self, name: bytes) -> bytes:
        """A name as it is kept: in lower case, and in requests "host" is another name of ":authority"."""
        key = name.lower()
        return b":authority" if key == b"host" and b":authority" in self._inline else key

    def get(self, name: bytes) -> bytes | None:
        """The first value of a header."""
        key = self._key(name)
        for other, value in self.pairs:
            if other == key:
                return value
        return None

    def add(self, name: bytes, value: bytes) -> None:
        """One more value: joined to the one that is there where the header is inline."""
        key = self._key(name)
        if key in self._inline:
            for at, (other, old) in enumerate(self.pairs):
                if other == key:
                    if value:
                        self.pairs[at] = (key, old + b"," + value if old else value)
                    return
        if key[:1] == b":":
            self.pairs.insert(self._pseudo_end(), (key, value))
        else:
            self.pairs.append((key, value))

    def _pseudo_end(self) -> int:
        at = 0
        while at < len(self.pairs) and self.pairs[at][0][:1] == b":":
            at += 1
        return at

    def replace(self, name: bytes, value: bytes) -> None:
        """One value instead of all there were, at the end."""
        self.remove(name)
        self.add(name, value)

    def put(self, name: bytes, value: bytes) -> None:
        """Set an inline header as the host itself does: where it stands, else at the end."""
        for at, (other, _) in enumerate(self.pairs):
            if other == name:
                self.pairs[at] = (name, value)
                return
        self.add(name, value)

    def remove(self, name: bytes) -> None:
        """All values of a header."""
        key = self._key(name)
        self.pairs = [pair for pair in self.pairs if pair[0] != key]

    def byte_size(self) -> int:
        """Bytes of all names and values."""
        return sum(len(name) + len(value) for name, value in self.pairs)


def serialise(pairs: list[Pair]) -> bytes:
    """Count, lengths, then names and values with a NUL behind each; nothing at all for no pairs."""
    if not pairs:
        return b""
    head = b"".join(_number(len(name)) + _number(len(value)) for name, value in pairs)
    return _number(len(pairs)) + head + b"".join(name + b"\0" + value + b"\0" for name, value in pairs)


def parse(data: bytes) -> list[Pair]:
    """Read what a module wrote; whatever breaks the format is no pair at all, as the host has it."""
    if len(data) < 4 or len(data) > _MOST_BYTES:
        return []
    count = int.from_bytes(data[:4], "little")
    at = 4 + 8 * count
    if count > _MOST_PAIRS or at > len(data):
        return []
    texts = []
    for entry in range(4, 4 + 8 * count, 4):
        end = at + int.from_bytes(data[entry : entry + 4], "little")
        if end + 1 > len(data) or data[end] != 0:
            return []
        texts.append(data[at:end])
        at = end + 1
    return list(zip(texts[::2], texts[1::2], strict=True)) if at == len(data) else []


def _number(value: int) -> bytes:
    return value.to_bytes(4, "little")
