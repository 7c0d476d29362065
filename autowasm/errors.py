"""The one tree of errors: its type says what the caller does next.

    Error                 never raised itself
    +-- Retry             a wait may heal it (a registry that is down, a conflict)
    +-- Final             nothing but a change by somebody heals it
        +-- Usage         the change is the caller's own input: exit code 2

Every error names the side that failed, a reason slug (stable, CamelCase, used as a Kubernetes condition reason),
and where there is one a remedy. Messages name the thing, the rule and the value found, in that order, lower case,
without a full stop. Foreign exceptions stop at the adapter that met them and are chained as the cause.
"""

from __future__ import annotations

from typing import Literal

Side = Literal[
    "registry", "object", "store", "cluster", "proxy", "module", "spec", "wasmer", "controller", "usage"
]


class Error(Exception):
    """What went wrong, on which side, under which reason.

    Args:
        message: the thing, the rule, the value found.
        side: which party failed.
        reason: CamelCase slug that programs and conditions may rely on.
        remedy: what the reader can do about it, a sentence; empty where there is nothing.
    """

    def __init__(self, message: str, *, side: Side, reason: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.side = side
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.side}: {self.message}"


class Retry(Error):
    """A wait may heal it; ``after`` is the least wait in seconds that the failing side asked for, or None."""

    def __init__(
        self, message: str, *, side: Side, reason: str, remedy: str = "", after: float | None = None
    ) -> None:
        super().__init__(message, side=side, reason=reason, remedy=remedy)
        self.after = after


class Final(Error):
    """Only a change by somebody heals it; trying again is noise."""


class Usage(Final):
    """The caller's own input is wrong: programs end with exit code 2."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message, side="usage", reason="BadInput", remedy=remedy)
