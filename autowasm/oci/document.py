"""JSON of strangers: read where it cannot cost more than a small multiple of its own bytes."""

from __future__ import annotations

import json
from typing import Any

from autowasm import limits


class NoDocument(ValueError):
    """The bytes are no JSON, or JSON that is made to cost memory."""


def members(data: bytes) -> int:
    """How many members its objects and arrays have at most; those that stand in strings count, too."""
    return sum(map(data.count, (b",", b"[", b"{")))


def read(data: bytes) -> Any:
    """What the bytes say. Raises NoDocument."""
    if members(data) > limits.JSON_MEMBERS:
        raise NoDocument(f"must have at most {limits.JSON_MEMBERS} members")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NoDocument("must be JSON") from error
