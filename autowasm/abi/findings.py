"""What a check finds: values for conditions, consoles and machines. It knows no rule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from autowasm.digest import Digest

Level = Literal["error", "warning", "info"]
_RANK: Final[dict[Level, int]] = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a module breaks or a user should know.

    ``rule`` is a stable slug. ``where`` names an import, an export, a callback or a byte offset.
    ``envoy_says`` is what Envoy's log would say, empty where it says nothing. ``remedy`` is a sentence.
    """

    rule: str
    level: Level
    message: str
    where: str = ""
    envoy_says: str = ""
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        """As programs read it."""
        return {
            "rule": self.rule,
            "level": self.level,
            "message": self.message,
            "where": self.where,
            "envoy_says": self.envoy_says,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a check. ``findings`` come worst first; ``abi`` is "0.1.0", "0.2.0", "0.2.1" or None."""

    sha256: Digest
    size: int
    abi: str | None
    sdk: str | None
    envoy: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether Envoy would load the module: there is no error."""
        return all(finding.level != "error" for finding in self.findings)

    def worst(self) -> Finding | None:
        """The first finding of the worst level, None where there is none at all."""
        return self.findings[0] if self.findings else None

    def beside(self, others: Iterable[Finding]) -> Report:
        """The same report with what else was found about the module."""
        return replace(self, findings=ordered([*self.findings, *others]))

    def to_json(self, file: str) -> dict[str, Any]:
        """As programs read it (report.schema.json); ``file`` is the name that the module was given by."""
        return {
            "file": file,
            "sha256": self.sha256.hex,
            "size": self.size,
            "abi": self.abi,
            "sdk": self.sdk,
            "ok": self.ok,
            "target": {"envoy": self.envoy},
            "findings": [finding.to_json() for finding in self.findings],
        }


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Worst first, and among equals as they were found: causes before their consequences."""
    return tuple(sorted(findings, key=lambda finding: _RANK[finding.level]))
