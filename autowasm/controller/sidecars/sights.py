"""What is known of one sidecar's life by its statistics, and what one more look adds to that. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from autowasm.controller.sidecars import evidence
from autowasm.controller.sidecars.evidence import Finding, Look
from autowasm.controller.sidecars.pods import Pod
from autowasm.controller.sidecars.records import Records
from autowasm.controller.sidecars.targets import Target
from autowasm.kube.names import Key

FIRST_SECONDS: Final = 0.25
LONGEST_SECONDS: Final = 300.0
"""The wait between two looks while something is unproven: it doubles from the first on, and starts again with news."""

DRAINING_SECONDS: Final = 10.0
"""The longest wait for what will be seen by itself once old connections are gone."""


@dataclass(slots=True)
class Sight:
    """One container of a sidecar.

    Attributes:
        life: whose it is (``Pod.life``).
        proven: the VM that each AutoWasm was seen to have here.
        fault: why its statistics could not be read the last time; "" where they could.
        finding: what the last look said about those that were not proven by it.
        last: the last look.
        stale: whether what should be here has changed since the look to compare with.
    """

    life: tuple[str, float]
    proven: dict[Key, str] = field(default_factory=dict)
    fault: str = ""
    finding: Finding | None = None
    last: Look | None = None
    stale: bool = True
    _base: Look | None = None
    _tries: int = 0

    @property
    def tried(self) -> bool:
        """Whether anybody looked."""
        return self.last is not None or bool(self.fault)

    def runs(self, key: Key, target: Target) -> bool:
        """Whether there is evidence that it runs what this AutoWasm has in the mesh."""
        return self.proven.get(key) == target.vm

    def news(self) -> None:
        """Something is expected to change soon."""
        self._tries = 0

    def wait(self) -> float:
        """How long to wait before the next look, longer each time."""
        self._tries = min(self._tries + 1, 32)
        drains = self.finding is not None and self.finding.drains and not self.fault
        return min(FIRST_SECONDS * 2.0 ** (self._tries - 1), DRAINING_SECONDS if drains else LONGEST_SECONDS)

    def take(self, look: Look, pod: Pod, wanted: Mapping[Key, Target], records: Records) -> None:
        """Take in a look at it; ``wanted``: all that should be here."""
        if self.last is not None and not look.follows(self.last):
            self.proven.clear()
            self._base = None
        wishes = {key: self._wish(key, target, pod, records) for key, target in wanted.items()}
        plugins = {target.plugin for target in wanted.values()}
        self.finding = evidence.judge(wishes.values(), plugins, look, self._base)
        for key, wish in wishes.items():
            if wish.vm in self.finding.proven:
                self.proven[key] = wish.vm
        if self.finding.proven or self.stale or self._base is None:
            self._base, self.stale = look, False
        self.last, self.fault = look, ""

    def _wish(self, key: Key, target: Target, pod: Pod, records: Records) -> evidence.Wish:
        assert target.digest is not None
        fetched = records.fetched(pod, target.digest)
        since = max(target.since, pod.since)
        return evidence.Wish(target.vm, since, fetched, proven=self.runs(key, target))
