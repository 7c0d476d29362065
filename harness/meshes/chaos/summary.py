"""What a chaos run met, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from harness.meshes.chaos.run import Outcome


def lines(outcome: Outcome) -> Iterator[str]:
    """The whole of it: a table of harm, then traffic, then what was wrong."""
    yield f"{'harm':<44}{'times':>7}{'recovered in s: median':>25}{'longest':>10}"
    for kind, seconds in sorted(outcome.recovery.items()):
        yield f"{kind:<44}{len(seconds):>7}{median(seconds):>25.1f}{max(seconds):>10.1f}"
    yield ""
    for name, met in outcome.traffic.items():
        gap = f", longest gap {met.longest_gap.seconds * 1000:.0f} ms" if met.longest_gap else ""
        yield f"{name}: {met.sent} requests, {met.failed} failed{gap}"
    yield f"{outcome.rounds} rounds, {outcome.edits} edits, {outcome.lost} lost"
    if not outcome.wrong:
        yield "all is as a fresh installation makes it"
    for one in outcome.wrong:
        yield f"wrong: {one}"
