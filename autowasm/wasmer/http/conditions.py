"""What a request says about the copy it has: If-None-Match, Range, If-Range (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_RANGE: Final = re.compile(r"bytes=[ \t]*(\d{0,19})-(\d{0,19})[ \t]*")


class Unsatisfiable(Exception):
    """No byte of the range is there: 416."""


def matches(headers: Mapping[str, str], tag: str) -> bool:
    """Whether the caller has the very thing already; ``tag`` is its entity tag, quotes included."""
    known = headers.get("if-none-match")
    if known is None:
        return False
    # Compared weakly, as that section says; no tag of ours holds a comma.
    return known.strip() == "*" or tag in [one.strip().removeprefix("W/") for one in known.split(",")]


def span(headers: Mapping[str, str], tag: str, size: int) -> tuple[int, int] | None:
    """The first byte and the number of bytes that are asked for; None for all.

    What is not understood, several ranges, and the range of another version are all of it, as the section allows.

    Raises:
        Unsatisfiable: the range begins beyond the end.
    """
    asked = _RANGE.fullmatch(headers.get("range", ""))
    if asked is None or headers.get("if-range", tag) != tag:
        return None
    first, last = asked.groups()
    if not first:
        if not last:
            return None
        length = min(int(last), size)
        if length == 0:
            raise Unsatisfiable
        return size - length, length
    start, end = int(first), int(last) if last else size - 1
    if last and end < start:
        return None
    if start >= size:
        raise Unsatisfiable
    return start, min(end, size - 1) - start + 1
