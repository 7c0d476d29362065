"""The error body of the distribution spec (spec.md#error-codes): ``{"errors": [{"code", "message"}]}``.

Never raises: an answer that is already a failure must not fail a second time over its body.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from autowasm import limits
from autowasm.oci import document

_FAULTS_MAX: Final = 4  # registries send one; a list of a thousand is no help


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry: ``code`` in upper case as the spec lists them, ``message`` for people, both on one line."""

    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.message else self.code


def parse(body: bytes) -> tuple[Fault, ...]:
    """The faults of an error body, none where it is not one."""
    try:
        said = document.read(body)
    except document.NoDocument:
        return ()
    entries = said.get("errors") if isinstance(said, dict) else None
    if not isinstance(entries, list):
        return ()
    faults = (_fault(entry) for entry in entries[:_FAULTS_MAX])
    return tuple(fault for fault in faults if fault is not None)


def excerpt(body: bytes) -> str:
    """What a failing answer said, for a message: its faults, else the beginning of its text on one line."""
    faults = parse(body)
    if faults:
        return "; ".join(str(fault) for fault in faults)[: limits.ERROR_BODY_CHARS]
    return _line(body[: 4 * limits.ERROR_BODY_CHARS].decode("utf-8", "replace"))


def _fault(entry: Any) -> Fault | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("code"), str):
        return None
    message = entry.get("message")
    return Fault(_line(entry["code"]), _line(message) if isinstance(message, str) else "")


def _line(text: str) -> str:
    """One printable line: a stranger's text may hold control sequences for the reader's terminal."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())[: limits.ERROR_BODY_CHARS]
