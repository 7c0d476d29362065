"""The one HTTP stream of a dry run: a plain GET and its answer, with the maps and bodies that are at hand.

Source: Envoy's Context (decodeHeaders, encodeHeaders, encodeData): a map is at hand from the callback that
brings it on, and request headers are gone once they were let go.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from autowasm.abi.tables import BufferType, MapType

Pairs = list[tuple[bytes, bytes]]

ROOT: Final = 1
"""The root context's number: the host counts from 1, and 0 is the VM's own context."""

CONTEXT: Final = 2
"""The stream's context, the next number."""

REQUEST: Final = (
    (b":authority", b"httpbin.default.svc.cluster.local:8000"),
    (b":path", b"/"),
    (b":method", b"GET"),
    (b":scheme", b"http"),
    (b"user-agent", b"curl/8.5.0"),
    (b"accept", b"*/*"),
    (b"x-forwarded-proto", b"http"),
    (b"x-request-id", b"6d1f7a52-7f63-4f2e-9c0b-2a1f8f0f6a11"),
)
"""What a sidecar gets from another one, more or less."""

RESPONSE: Final = (
    (b":status", b"200"),
    (b"content-type", b"text/plain"),
    (b"content-length", b"2"),
    (b"date", b"Tue, 14 Nov 2023 22:13:20 GMT"),
    (b"server", b"istio-envoy"),
)
BODY: Final = b"ok"

_MOST_BYTES: Final = 1 << 20  # PROXY_WASM_HOST_PAIRS_MAX_BYTES
_MOST_PAIRS: Final = 1024  # PROXY_WASM_HOST_PAIRS_MAX_COUNT


@dataclass(slots=True)
class Stream:
    """What is at hand. ``local`` is the answer that the module gave itself: headers and a body.

    ``phase`` is which callbacks are made: that of its context, those of the request, of the response, or those at
    the end.
    ``went_on`` is whether the module let the request go on.
    ``logged`` are the maps that an access log reads, and cannot change.
    """

    maps: dict[MapType, Pairs] = field(default_factory=dict)
    logged: dict[MapType, Pairs] = field(default_factory=dict)
    bodies: dict[BufferType, bytearray] = field(default_factory=dict)
    local: tuple[Pairs, bytes] | None = None
    closed: bool = False
    went_on: bool = False
    phase: Literal["creating", "request", "response", "ending"] = "creating"


def value(pairs: Pairs, name: bytes) -> bytes | None:
    """The first value of a name, in lower case as Envoy has it."""
    return next((of for key, of in pairs if key == name.lower()), None)


def serialise(pairs: Pairs) -> bytes:
    """The ABI's encoding: count, lengths, then names and values that end with NUL; nothing for none."""
    if not pairs:
        return b""
    sizes = b"".join(len(part).to_bytes(4, "little") for pair in pairs for part in pair)
    return (
        len(pairs).to_bytes(4, "little") + sizes + b"".join(part + b"\0" for pair in pairs for part in pair)
    )


def parse(data: bytes) -> Pairs:
    """Read that encoding as the host does (PairsUtil::toPairs): anything broken is no pairs at all."""
    count = int.from_bytes(data[:4], "little")
    at = 4 + 8 * count
    if not 4 <= len(data) <= _MOST_BYTES or count > _MOST_PAIRS or at > len(data):
        return []
    parts = []
    for number in range(2 * count):
        size = int.from_bytes(data[4 + 4 * number : 8 + 4 * number], "little")
        end = at + size
        if end >= len(data) or data[end]:
            return []
        parts.append(data[at:end])
        at = end + 1
    return list(zip(parts[::2], parts[1::2], strict=True)) if at == len(data) else []
