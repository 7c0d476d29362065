"""Requests and answers as values, the same for both versions of HTTP.

They are tuples: a thousand times a second, a frozen dataclass takes four times as long to make.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

_NONE: Final[Mapping[str, str]] = MappingProxyType({})


class Request(NamedTuple):
    """What was asked.

    Attributes:
        method: as it was sent; methods are case-sensitive (RFC 9110, section 9.1).
        path: percent-decoded, without the query.
        headers: names in lower case; what came several times is joined by commas (RFC 9110, section 5.3).
        peer: the address of who asks, as the connection has it.
        crowded: whether this connection is one too many: only what is cheap is to be answered.
    """

    method: str
    path: str
    headers: Mapping[str, str] = _NONE
    peer: str = ""
    crowded: bool = False


class Span(NamedTuple):
    """A part of an open file: the body of an answer. ``owner`` is what keeps it open."""

    descriptor: int
    start: int
    length: int
    owner: object = None


def _nobody(whole: bool) -> None:
    del whole


class Answer(NamedTuple):
    """What is answered. The server adds the length and the date, and leaves the body away where HEAD asked.

    Attributes:
        body: bytes, or a part of a file.
        ended: called once, with whether the last byte was sent.
    """

    status: int
    headers: Mapping[str, str] = _NONE
    body: bytes | Span = b""
    ended: Callable[[bool], None] = _nobody

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return self.body.length if isinstance(self.body, Span) else len(self.body)

    @property
    def bodiless(self) -> bool:
        """Whether this status never has a body, nor a length (RFC 9110, sections 8.6 and 15)."""
        return self.status in {304, 204}


Handler = Callable[[Request], Awaitable[Answer]]


def plain(status: int, text: str, headers: Mapping[str, str] | None = None) -> Answer:
    """A line of text."""
    fields = {"content-type": "text/plain; charset=utf-8", **(headers or {})}
    return Answer(status, fields, f"{text}\n".encode())
