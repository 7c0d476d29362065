"""Runs scenarios one after the other: steps in order, clean-up always, a reason for everything.

It knows the mesh's protocol and the table of verbs, and decides every verdict; what is shown of it is the
reports' business. A failure is explained before the clean-up, since that destroys the evidence.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from harness import converge, events, verbs
from harness.mesh import Broken, Mesh, Refused
from harness.scenario import bindings, load, model
from harness.verbs.stage import Sources, Stage
from harness.verbs.verb import Done, Failed

_FRAMES: Final = 3


@dataclass(frozen=True, slots=True)
class Options:
    """How to run.

    ``artifacts`` is the folder of this run, made when something fails. ``phases`` are what the mesh's
    bring-up took, ``since`` is when the whole began, on the clock.
    """

    sources: Sources
    artifacts: Path
    clock: converge.Clock = converge.REAL
    patience: float = 1.0
    fail_fast: bool = False
    phases: Sequence[tuple[str, float]] = ()
    since: float | None = None


@dataclass(slots=True)
class _Tally:
    verdicts: list[events.Verdict] = field(default_factory=list)
    broken: str = ""
    interrupted: bool = False
    stopped: str = ""

    def count(self, verdict: events.Verdict) -> int:
        return self.verdicts.count(verdict)


class Interrupted(KeyboardInterrupt):
    """The user stopped the run; everything was cleaned up and reported."""


def preflight(scenarios: Sequence[model.Scenario], sources: Sources) -> list[str]:
    """What scenarios name outside of themselves and is not there, in words with positions."""
    found = []
    for scenario in scenarios:
        for step in scenario.steps:
            for key, kind in verbs.TABLE[step.verb].reads.items():
                name = step.args.get(key)
                if not isinstance(name, str) or bindings.names(name):
                    continue  # not given, or known only while the scenario runs
                read = sources.module if kind == "module" else sources.file
                try:
                    read(name, scenario.file)
                except ValueError as error:
                    found.append(f"{step.where}: {step.verb}.{key}: {error}")
    return found


def run(
    scenarios: Sequence[model.Scenario], mesh: Mesh, emit: events.Emit, options: Options
) -> events.RunEnded:
    """Run scenarios in their order and say how it went; the last event is what is returned.

    Raises:
        Broken: the mesh is gone; the scenarios after that are reported as skipped.
        Interrupted: the user stopped it.
    """
    since = options.clock.now() if options.since is None else options.since
    tally = _Tally()
    for scenario in scenarios:
        _one(scenario, mesh, emit, options, tally)
    ended = events.RunEnded(
        mesh=mesh.name,
        passed=tally.count("passed"),
        failed=tally.count("failed"),
        skipped=tally.count("skipped"),
        seconds=options.clock.now() - since,
        phases=tuple(options.phases),
    )
    emit(ended)
    if tally.interrupted:
        raise Interrupted
    if tally.broken:
        raise Broken(tally.broken)
    return ended


def _one(scenario: model.Scenario, mesh: Mesh, emit: events.Emit, options: Options, tally: _Tally) -> None:
    lacking = sorted(scenario.requires - mesh.capabilities)
    reason = tally.stopped or (
        f"needs {', '.join(lacking)}, which {mesh.name} does not have" if lacking else ""
    )
    if reason:
        tally.verdicts.append("skipped")
        without = () if tally.stopped else tuple(lacking)
        emit(events.ScenarioEnded(scenario.name, scenario.file, "skipped", 0.0, reason, lacking=without))
        return
    play = _Play(scenario, mesh, emit, options)
    play.run()
    tally.verdicts.append(play.verdict)
    if play.interrupted:
        tally.interrupted, tally.stopped = True, "the run was interrupted"
    elif play.broken:
        tally.broken, tally.stopped = play.broken, f"the mesh is gone: {play.broken}"
    elif play.verdict == "failed" and options.fail_fast:
        tally.stopped = f"{scenario.name} failed and the run ends with the first failure"


class _Play:
    """One run of one scenario."""

    def __init__(self, scenario: model.Scenario, mesh: Mesh, emit: events.Emit, options: Options) -> None:
        self.scenario = scenario
        self.mesh = mesh
        self.emit = emit
        self.options = options
        self.stage = Stage(mesh, options.sources, scenario.file, options.clock, options.patience)
        self.verdict: events.Verdict = "passed"
        self.broken = ""
        self.interrupted = False
        self.artifacts = ""

    def run(self) -> None:
        """Steps until one fails; then, always, the clean-up and the scenario's last event."""
        began = self.options.clock.now()
        try:
            self.emit(events.ScenarioStarted(self.scenario.name, self.scenario.file, self.scenario.claim))
            for index, step in enumerate(self.scenario.steps):
                if not self.step(index, step):
                    break
        except KeyboardInterrupt:
            self.verdict, self.interrupted = "failed", True
        finally:
            self.clean_up()  # a second interrupt ends this too
        seconds = self.options.clock.now() - began
        name, file = self.scenario.name, self.scenario.file
        reason = "interrupted" if self.interrupted else ""
        self.emit(events.ScenarioEnded(name, file, self.verdict, seconds, reason, self.artifacts))

    def step(self, index: int, step: model.Step) -> bool:
        """Run a step and report it; whether the scenario goes on."""
        began = self.options.clock.now()
        title = step.title or self.words(step)
        self.emit(events.StepStarted(self.scenario.name, index, step.verb, title))
        outcome = self.act(step)
        why = () if isinstance(outcome, Done) else outcome
        self.emit(
            events.StepEnded(
                scenario=self.scenario.name,
                index=index,
                verb=step.verb,
                title=title,
                verdict="failed" if why else "passed",
                seconds=self.options.clock.now() - began,
                where=step.where,
                detail=outcome.detail if isinstance(outcome, Done) else "",
                why=why,
            )
        )
        if why:
            self.verdict = "failed"
            self.explain(step, why)
        return not why

    def words(self, step: model.Step) -> str:
        """A step in a few words, with its bindings filled in where they can be."""
        args = step.args
        with contextlib.suppress(bindings.Unbound):
            args = bindings.fill(dict(args), self.stage.bindings)
        return verbs.TABLE[step.verb].words(args)

    def act(self, step: model.Step) -> Done | tuple[str, ...]:
        """Do what a step says; the lines of the explanation where that went wrong."""
        verb = verbs.TABLE[step.verb]
        try:
            params = verb.params.model_validate(bindings.fill(dict(step.args), self.stage.bindings))
            done = verb.run(params, self.stage)
        except Failed as failure:
            return failure.why
        except Refused as refusal:
            return (f"refused: {refusal}",)
        except Broken as broken:
            self.broken = str(broken) or "no reason given"
            return (f"the mesh is gone: {self.broken}",)
        except bindings.Unbound as unbound:
            return (str(unbound),)
        except ValidationError as error:
            return (f"with its bindings filled in: {load.explain(error)}",)
        except (
            Exception
        ) as error:  # a fault of the harness must not keep the clean-up or other scenarios back
            return (f"fault of the harness: {type(error).__name__}: {error}", *_frames(error))
        if step.name:
            self.stage.results[step.name] = done.value
        return done

    def explain(self, step: model.Step, why: Sequence[str]) -> None:
        """Write what explains a failure while it can still be seen."""
        folder = self.options.artifacts / self.scenario.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.artifacts = str(folder)
            head = [f"{self.scenario.name}: {self.scenario.claim}", f"{step.where}: {step.verb}"]
            (folder / "why.txt").write_text("\n".join([*head, *why, ""]), encoding="utf-8")
            if not self.broken:
                self.mesh.collect(folder)
        except Exception as error:  # the failure itself matters more than its artifacts
            self.emit(events.Notice(f"artifacts of {self.scenario.name} are incomplete: {error}", "warning"))

    def clean_up(self) -> None:
        """Undo what was done, the last first, whatever happens; each failure is told."""
        began = self.options.clock.now()
        if not self.stage.clean_ups:
            return
        failures = []
        while self.stage.clean_ups:
            task = self.stage.clean_ups.pop()
            if failure := self.undo(task.what, task.undo):
                failures.append(failure)
        if failures:
            self.verdict = "failed"
        seconds = self.options.clock.now() - began
        self.emit(events.CleanupEnded(self.scenario.name, seconds, tuple(failures)))

    def undo(self, what: str, task: Callable[[], object]) -> str:
        """Undo one thing; why it could not be undone, or nothing."""
        if self.broken:
            return f"{what}: not done, the mesh is gone"
        try:
            task()
        except Broken as broken:
            self.broken = str(broken) or "no reason given"
            return f"{what}: the mesh is gone: {broken}"
        except Exception as error:  # the clean-ups that are left must still run
            return f"{what}: {str(error) or type(error).__name__}"
        return ""


def _frames(error: BaseException) -> list[str]:
    return [
        f"  {Path(frame.filename).name}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    ]
