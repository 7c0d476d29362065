"""Envoy's log: what the module said, and what Envoy says of the module."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from harness.fidelity.envoy import BEGIN

_LOGGER: Final = "wasm"
_SAID: Final = re.compile(r"wasm log(?: [^:]*)?: (.*)", re.DOTALL)
_FAILED: Final = ("error", "critical")


@dataclass(frozen=True, slots=True)
class Line:
    """A line: level and logger by Envoy's names, and the text."""

    level: str
    logger: str
    text: str


def parse(log: bytes) -> list[Line]:
    """The lines of a log; text that is none (a crash's) is left out."""
    found = []
    for entry in log.decode("utf-8", "replace").split(BEGIN)[1:]:
        level, _, rest = entry.partition("\x1f")
        logger, _, message = rest.partition("\x1f")
        found.append(Line(level, logger, message.removesuffix("\n")))
    return found


def _said(line: Line) -> re.Match[str] | None:
    return _SAID.match(line.text) if line.logger == _LOGGER else None


def module(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """What the module logged."""
    return [{"level": line.level, "message": match[1]} for line in lines if (match := _said(line))]


def failure(lines: Iterable[Line]) -> str | None:
    """Envoy's first complaint about the module, None where there is none."""
    for line in lines:
        if line.logger == _LOGGER and line.level in _FAILED and not _said(line):
            return line.text
    return None
