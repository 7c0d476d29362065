"""The run for people: plain lines, and on a terminal a last line that shows what is under way.

Colour only on a terminal (rich honours NO_COLOR). Nothing depends on colour alone: every verdict has a sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.status import Status
from rich.text import Text

from harness import events
from harness.report import recovery

_SIGNS: Final = {"passed": ("✓", "green"), "failed": ("✗", "bold red"), "skipped": ("-", "yellow")}


class Report:
    """Prints events as they come; to be closed in the end, so that the terminal is as it was."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = console.status("") if console.is_terminal else None
        self._steps: list[events.StepEnded] = []  # of the scenario that runs
        self._open: list[str] = []  # phases under way, the oldest first
        self._skipped: list[events.ScenarioEnded] = []
        self._failed: list[events.ScenarioEnded] = []

    def close(self) -> None:
        """Take the last line away."""
        if self._status:
            self._status.stop()

    def __call__(self, event: events.Event) -> None:
        """Print one event."""
        match event:
            case events.PhaseStarted() | events.PhaseEnded():
                self._phase(event)
            case events.Notice():
                self._notice(event)
            case events.ScenarioStarted():
                self._steps = []
                self._line((f"\n{event.name}", "bold"), (f"  {event.claim}", ""))
                self._now(event.name)
            case events.StepStarted():
                self._now(f"{event.scenario}: {event.verb} {event.title}")
            case events.StepEnded():
                self._step(event)
            case events.CleanupEnded():
                self._clean_up(event)
            case events.ScenarioEnded():
                self._scenario(event)
            case events.RunEnded():
                self._run(event)

    def _phase(self, event: events.PhaseStarted | events.PhaseEnded) -> None:
        if isinstance(event, events.PhaseStarted):
            expected = (
                f" (last time {event.expected:.0f} s)" if event.expected and event.expected >= 1 else ""
            )
            self._open.append(event.phase)
            self._now(f"{event.phase} {event.detail}{expected}")
            if expected and not self._status:
                self._line((f"  … {event.phase} {event.detail}{expected}", "dim"))
            return
        if event.phase in self._open:
            self._open.remove(event.phase)
        since = f"  at {event.since_start:.2f} s" if event.since_start is not None else ""
        detail = f"  {event.detail}" if event.detail else ""
        self._line(("  ✓ ", "green"), (f"{event.phase:<28}{event.seconds:7.2f} s{since}{detail}", ""))
        self._now(", ".join(self._open))

    def _notice(self, event: events.Notice) -> None:
        if event.level == "warning":
            self._line(("\n!! ", "bold yellow"), (event.message, "bold yellow"), ("\n", ""))
        else:
            self._line((event.message, ""))

    def _step(self, event: events.StepEnded) -> None:
        self._steps.append(event)
        sign, style = _SIGNS[event.verdict]
        self._line((f"  {sign} ", style), (f"{event.verb:<9} {event.title}", ""), (_tail(event), "dim"))
        if event.why:
            self._lines([event.where, *event.why])

    def _clean_up(self, event: events.CleanupEnded) -> None:
        if event.failures:
            sign, style = _SIGNS["failed"]
            self._line((f"  {sign} ", style), ("clean-up ", ""), (f"  {event.seconds:.2f} s", "dim"))
            self._lines(event.failures)

    def _scenario(self, event: events.ScenarioEnded) -> None:
        self._now("")
        sign, style = _SIGNS[event.verdict]
        if event.verdict == "skipped":
            self._skipped.append(event)
            self._line((f"{sign} {event.name}", style), (f"  skipped: {event.reason}", ""))
            return
        if event.verdict == "failed":
            self._failed.append(event)
        where = f"  artifacts in {event.artifacts}" if event.artifacts else ""
        reason = f"  {event.reason}" if event.reason else ""
        took = f"  {event.seconds:.2f} s{self._recovered(event)}"
        self._line((f"{sign} {event.verdict}", style), (f"{took}{reason}{where}", ""))

    def _recovered(self, event: events.ScenarioEnded) -> str:
        after = recovery.seconds(self._steps) if event.verdict == "passed" else None
        return "" if after is None else f", as it must be {after:.2f} s after the last fault"

    def _run(self, event: events.RunEnded) -> None:
        self.close()
        if event.phases:
            self._line(("\nphases of the bring-up", "bold"))
            for phase, seconds in event.phases:
                self._line((f"  {phase:<28}{seconds:7.2f} s", ""))
        self._line(("", ""))
        for ended in self._skipped:
            self._line((f"skipped {ended.name}: {ended.reason}", "yellow"))
        for ended in self._failed:
            self._line((f"failed {ended.name} ({ended.file})", "bold red"))
        counts = f"{event.passed} passed, {event.failed} failed, {event.skipped} skipped"
        good = not event.failed and event.passed
        self._line((counts, "bold green" if good else "bold red"), (_on(event), ""))
        if not event.passed and not event.failed:
            self._line(("nothing was run, so nothing was proved", "bold red"))
        self._skipped, self._failed = [], []  # another mesh may follow

    def _now(self, text: str) -> None:
        if not self._status:
            return
        if text:
            line = Text(text)
            line.truncate(
                max(self._console.width - 3, 1), overflow="ellipsis"
            )  # beside the spinner, on one line
            self._status.update(line)
            self._status.start()
        else:
            self._status.stop()

    def _lines(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._line((f"      {line}", ""))

    def _line(self, *parts: tuple[str, str]) -> None:
        self._console.print(Text.assemble(*parts), soft_wrap=True)


def _tail(event: events.StepEnded) -> str:
    detail = f"  {event.detail}" if event.detail else ""
    return f"  {event.seconds:.2f} s{detail}"


def _on(event: events.RunEnded) -> str:
    return f" on {event.mesh} in {event.seconds:.1f} s"
