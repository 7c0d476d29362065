"""Requests and answers as values, the same for both versions of HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
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
    headers: Mapping[str, str] = field(default_factory=dict)
    peer: str = ""
    crowded: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A part of an open file: the body of an answer."""

    descriptor: int
    start: int
    length: int


def _nobody(whole: bool) -> None:
    del whole


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered. The server adds the length and the date, and leaves the body away where HEAD asked.

    Attributes:
        body: bytes, or a part of a file that stays open until ``ended`` is called.
        ended: called once, with whether the last byte was sent.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
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
