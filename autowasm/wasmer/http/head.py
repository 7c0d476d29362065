"""The head of an HTTP/1.1 request as a value (RFC 9112, sections 2 to 5), and that of an answer as bytes.

Strict where leniency would let two readers of one message differ: lines end with CRLF, names have no blanks, no line
goes on in the next, and there is one Host.
"""

from __future__ import annotations

import functools
import http
import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from autowasm import limits

END: Final = b"\r\n\r\n"

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_TARGET: Final = re.compile(r"[\x21-\x7e]+")
_LISTS: Final = ("host", "content-length")  # what may be there once


class Malformed(Exception):
    """The head is no request that is answered; ``status`` is what to say."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Head(NamedTuple):
    """A request's head. ``close``: whether the connection ends with the answer. ``body``: whether one follows."""

    method: str
    path: str
    headers: Mapping[str, str]
    close: bool
    body: bool


@functools.lru_cache(maxsize=256)  # a sidecar sends the same bytes time after time
def parse(data: bytes) -> Head:
    """Read a head, without the empty line at its end.

    Raises:
        Malformed: 400, 431 for too many fields, 505 for another version.
    """
    lines = data.decode("latin-1").split("\r\n")
    method, target, version = _request_line(lines[0])
    headers = _fields(lines[1:])
    if version == "HTTP/1.1" and "host" not in headers:
        raise Malformed(400, "a request of HTTP/1.1 must name its host")
    wishes = headers.get("connection", "").lower()
    return Head(
        method,
        path_of(target),
        headers,
        close=version == "HTTP/1.0" or "close" in [wish.strip() for wish in wishes.split(",")],
        body="transfer-encoding" in headers or headers.get("content-length", "0") != "0",
    )


def path_of(target: str) -> str:
    """The path of a request's target, decoded. Raises Malformed."""
    if not target.startswith("/"):
        split = urlsplit(target) if target.startswith(("http://", "https://")) else None
        if split is None or not split.netloc:
            raise Malformed(400, "the target must be a path")
        target = split.path or "/"
    path = target.partition("?")[0]
    return unquote(path) if "%" in path else path


def render(status: int, headers: Mapping[str, str]) -> bytes:
    """The head of an answer, with the empty line at its end."""
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    return f"{_STATUS_LINES[status]}{fields}\r\n".encode("latin-1")


_STATUS_LINES: Final = {
    int(status): f"HTTP/1.1 {int(status)} {status.phrase}\r\n" for status in http.HTTPStatus
}


def _request_line(line: str) -> tuple[str, str, str]:
    parts = line.split(" ")
    if len(parts) != 3 or not _TOKEN.fullmatch(parts[0]) or not _TARGET.fullmatch(parts[1]):
        raise Malformed(400, "the first line must be a method, a target and a version")
    method, target, version = parts
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise Malformed(505, "the version must be HTTP/1.1, or HTTP/2 from the first byte on")
    return method, target, version


def _fields(lines: list[str]) -> dict[str, str]:
    if len(lines) > limits.REQUEST_FIELDS:
        raise Malformed(431, f"a request must have at most {limits.REQUEST_FIELDS} fields")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise Malformed(400, "a field must be a name, a colon and a value")
        name, value = name.lower(), value.strip(" \t")
        if name in headers:
            if name in _LISTS:
                raise Malformed(400, f"the field {name} must be there once")
            value = f"{headers[name]}, {value}"
        headers[name] = value
    return headers
