"""Bytes in JSON: a string where they are UTF-8, {"base64": ...} where they are not."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any


def encode(data: bytes) -> Any:
    """Bytes as they stand in an answer."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def decode(value: Any) -> bytes:
    """Bytes as they stand in a script."""
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else str(value).encode("utf-8")


def pairs(headers: Iterable[Sequence[str]]) -> list[list[str]]:
    """Headers as they stand in an answer."""
    return [[name, value] for name, value in headers]
