"""What a Lease says. A value; it knows no client."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tenure:
    """A Lease as it was read, or as it is to be written.

    Attributes:
        holder: who has it, "" where nobody does.
        seconds: how long it lasts after each renewal.
        transitions: how often it went from one holder to another.
        acquired: since when its holder has it, RFC 3339.
        version: its resourceVersion, "" where there is no Lease yet.
    """

    holder: str = ""
    seconds: int = 0
    transitions: int = 0
    acquired: str = ""
    version: str = ""
