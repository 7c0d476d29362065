"""What an examination finds, as values: findings, and which meshes can run. Nothing is examined here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried: whether it is as it must be, what was seen, and what puts it right."""

    what: str
    ok: bool
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Availability:
    """A kind of mesh: whether it can run here, and where not, why not."""

    mesh: str
    ok: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """All findings, and what follows from them for each kind of mesh."""

    findings: Sequence[Finding]
    meshes: Sequence[Availability]

    def available(self, mesh: str) -> bool:
        """Whether a kind of mesh can run here."""
        return any(kind.ok for kind in self.meshes if kind.mesh == mesh)

    def to_json(self) -> Mapping[str, Any]:
        """``{"findings": [{"what", "ok", "detail", "remedy"}], "meshes": {NAME: {"ok", "why"}}}``."""
        return {
            "findings": [asdict(finding) for finding in self.findings],
            "meshes": {kind.mesh: {"ok": kind.ok, "why": kind.why} for kind in self.meshes},
        }
