"""HTTP/1.1 by hand: messages as they are on the wire, with the order and the case of their headers.

Source: RFC 9112. Nothing is mended or normalised here, since what a proxy changes is what is looked for.
Text is Latin-1, so that every byte of a header comes through.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

Pairs = tuple[tuple[str, str], ...]
END: Final = b"\r\n"
_LINE: Final = 1 << 16
_BODILESS: Final = frozenset({"204", "304"})


class Cut(Exception):
    """The peer ended in the middle of a message."""


class Stream(Protocol):
    """What a message is read from."""

    def readline(self, limit: int, /) -> bytes:
        """A line with its end, or what came before the end of the stream."""
        ...

    def read(self, size: int, /) -> bytes:
        """This many bytes, or what came before the end of the stream."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response; ``trailers`` is None where the body came without a trailer section."""

    first: str
    headers: Pairs
    body: bytes = b""
    trailers: Pairs | None = None

    def value(self, name: str) -> str:
        """The first value of a header, empty where it is absent."""
        return find(self.headers, name)


def find(headers: Iterable[Sequence[str]], name: str) -> str:
    """The first value of a header, its name in any case; empty where it is absent."""
    return next((value for key, value in headers if key.lower() == name), "")


def read(stream: Stream, method: str = "") -> Message | None:
    """The next message, None where the stream ended before it. ``method`` is what a response answers.

    Raises:
        Cut: the stream ended in the middle.
    """
    first = stream.readline(_LINE)
    if not first:
        return None
    start = _text(first)
    headers = _headers(stream)
    if has_no_body(start, method):
        return Message(start, headers)
    if "chunked" in find(headers, "transfer-encoding").lower():
        body = b"".join(_chunks(stream))
        return Message(start, headers, body, _headers(stream) or None)
    size = find(headers, "content-length")
    if size:
        return Message(start, headers, _exactly(stream, int(size)))
    return Message(start, headers, stream.read(-1) if start.startswith("HTTP/") else b"")


def has_no_body(start: str, method: str) -> bool:
    """Whether nothing stands behind the headers, by the start line and the method that it answers."""
    return method == "HEAD" or (start.startswith("HTTP/") and start.split(" ")[1] in _BODILESS)


def _text(line: bytes) -> str:
    if not line.endswith(b"\n"):
        raise Cut
    return line.rstrip(b"\r\n").decode("latin-1")


def _headers(stream: Stream) -> Pairs:
    pairs = []
    while line := _text(stream.readline(_LINE)):
        front = line[:1] if ":" in line[1:] else ""  # a name may wrongly begin with a colon
        name, _, value = line.removeprefix(front).partition(":")
        pairs.append((front + name, value.strip(" \t")))
    return tuple(pairs)


def _exactly(stream: Stream, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise Cut
    return data


def _chunks(stream: Stream) -> Iterable[bytes]:
    while size := int(_text(stream.readline(_LINE)).partition(";")[0], 16):
        yield _exactly(stream, size)
        _text(stream.readline(_LINE))


def head(first: str, headers: Iterable[Sequence[str]]) -> bytes:
    """A start line and headers."""
    return (first + "\r\n").encode("latin-1") + section(headers)


def section(headers: Iterable[Sequence[str]]) -> bytes:
    """Headers, or trailers, and the empty line behind them."""
    return b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in headers) + END


def chunk(data: bytes) -> bytes:
    """A chunk of a body; empty for no bytes, since an empty chunk would be the last."""
    return f"{len(data):x}\r\n".encode() + data + END if data else b""


def pieces(
    first: str, headers: Iterable[Sequence[str]], body: Sequence[bytes] | None, trailers: object
) -> list[bytes]:
    """A message in the pieces that it is sent in: its head, each chunk of its body, its end.

    A body without a content-length is sent in chunks, and the header that says so is added. Trailers go only
    with such a body.
    """
    sent = [tuple(pair) for pair in headers]
    if body is None or find(sent, "content-length"):
        return [head(first, sent), *(body or ())]
    if not find(sent, "transfer-encoding"):
        sent.append(("transfer-encoding", "chunked"))
    end = b"0\r\n" + section(trailers if isinstance(trailers, list) else ())
    return [head(first, sent), *(chunk(data) for data in body if data), end]
