"""The runner: what it reports, that it always cleans up, and what it does when things break."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness import events, run, verbs
from harness.mesh import Broken
from harness.scenario import load, model

LOADER = load.Loader(verbs.TABLE)
HELLO = """
  - push: {module: good/hello-v1, to: "${registry}/hello:v1"}
    as: v1
  - apply:
      object:
        apiVersion: wasm.tcm.io/v1alpha1
        kind: AutoWasm
        metadata: {name: hello, namespace: "${namespace}"}
        spec: {filter: {applyPorts: [9080], source: {registry: {image: "${v1.reference}"}}}}
"""
SEES = "  - request: {to: details, port: 9080, expect: {headers: {hello: world}}, eventually: {within: 1s}}\n"
SEES_OTHER = SEES.replace("world", "moon")
SECRET = "  - apply: {object: {apiVersion: v1, kind: Secret, metadata: {name: s, namespace: default}}}\n"


def scenario(steps: str, name: str = "x", requires: str = "") -> model.Scenario:
    """A scenario with these steps."""
    text = f"name: {name}\nclaim: It works.\nrequires: [{requires}]\nsteps:\n{steps}"
    return LOADER.load(text.encode(), f"{name}.yaml")


@pytest.fixture
def options(memory_sources, clock, tmp_path) -> run.Options:
    """Options whose artifacts go to the test's own folder."""
    return run.Options(memory_sources, tmp_path / "artifacts", clock)


class Seen(list[events.Event]):
    """The events of a run, and ways to ask for them."""

    def of(self, kind: type[Any]) -> list[Any]:
        """The events of one kind."""
        return [event for event in self if isinstance(event, kind)]

    @property
    def verdicts(self) -> list[tuple[str, str]]:
        """Every scenario with how it ended."""
        return [(event.name, event.verdict) for event in self.of(events.ScenarioEnded)]


def go(scenarios: Sequence[model.Scenario], mesh: Any, options: run.Options) -> tuple[Seen, events.RunEnded]:
    """Run, and gather the events."""
    seen = Seen()
    ended = run.run(scenarios, mesh, seen.append, options)
    return seen, ended


def test_a_scenario_that_holds_passes(memory_mesh, options):
    """Every step is reported with its position, the counts are right, and nothing stays in the mesh."""
    seen, ended = go([scenario(HELLO + SEES)], memory_mesh, options)
    assert (ended.passed, ended.failed, ended.skipped) == (1, 0, 0)
    assert [(step.verb, step.verdict) for step in seen.of(events.StepEnded)] == [
        ("push", "passed"),
        ("apply", "passed"),
        ("request", "passed"),
    ]
    assert seen.of(events.StepEnded)[0].where == "x.yaml:6:5"
    assert memory_mesh.objects == {}
    assert seen[-1] == ended


def test_a_failure_ends_its_scenario_and_not_the_run(memory_mesh, options):
    """The steps after a failed one are not run; the next scenario is."""
    seen, ended = go(
        [scenario(HELLO + SEES_OTHER + SECRET, "a"), scenario(HELLO + SEES, "b")], memory_mesh, options
    )
    assert seen.verdicts == [("a", "failed"), ("b", "passed")]
    assert (ended.passed, ended.failed) == (1, 1)
    assert len([step for step in seen.of(events.StepEnded) if step.scenario == "a"]) == 3


def test_a_failure_is_explained_before_the_clean_up(memory_mesh, options, tmp_path):
    """The artifacts hold the explanation and the mesh as it was while it was wrong."""
    seen, _ = go([scenario(HELLO + SEES_OTHER)], memory_mesh, options)
    folder = Path(seen.of(events.ScenarioEnded)[0].artifacts)
    assert folder == tmp_path / "artifacts" / "x"
    why = (folder / "why.txt").read_text(encoding="utf-8")
    assert 'difference: header hello: expected "moon", found "world"' in why
    assert (folder / "objects.txt").read_text(encoding="utf-8") == "AutoWasm default/hello"
    assert memory_mesh.objects == {}


def test_nothing_is_written_where_nothing_fails(memory_mesh, options, tmp_path):
    """A run that passes leaves no folder behind."""
    go([scenario(HELLO + SEES)], memory_mesh, options)
    assert list(tmp_path.iterdir()) == []


def test_a_clean_up_that_fails_is_a_failure(memory_mesh, options):
    """All steps passed, and still the scenario fails, since the mesh is not as it was."""
    memory_mesh.stuck = True
    seen, ended = go([scenario(SECRET)], memory_mesh, options)
    assert ended.failed == 1
    assert [step.verdict for step in seen.of(events.StepEnded)] == ["passed"]
    assert seen.of(events.CleanupEnded)[0].failures == (
        "delete Secret default/s: Secret default/s has a finalizer",
    )


def test_clean_up_goes_backwards_and_on_after_a_failure(memory_mesh, options):
    """The last is undone first, and each is tried whatever happened to the others."""
    load_step = "  - load: {to: details, port: 9080}\n"
    memory_mesh.stuck = True
    seen, _ = go([scenario(load_step + SECRET + SECRET.replace("name: s", "name: t"))], memory_mesh, options)
    failures = seen.of(events.CleanupEnded)[0].failures
    assert [failure.split(":")[0] for failure in failures] == [
        "delete Secret default/t",
        "delete Secret default/s",
    ]
    assert memory_mesh.loads[0].stopped == 1


def test_what_the_mesh_cannot_do_is_skipped_with_a_reason(memory_mesh, options):
    """A skip says what is missing, counts as no pass, and runs no step."""
    seen, ended = go([scenario(SECRET, requires="private-registry, istio")], memory_mesh, options)
    assert (ended.passed, ended.skipped) == (0, 1)
    assert (
        seen.of(events.ScenarioEnded)[0].reason == "needs istio, private-registry, which memory does not have"
    )
    assert seen.of(events.ScenarioEnded)[0].lacking == ("istio", "private-registry")
    assert seen.of(events.StepEnded) == []


def test_fail_fast_skips_the_rest(memory_mesh, options):
    """After the first failure the others are skipped and say why."""
    fast = dataclasses.replace(options, fail_fast=True)
    seen, _ = go([scenario(SEES_OTHER, "a"), scenario(HELLO + SEES, "b")], memory_mesh, fast)
    assert seen.verdicts == [("a", "failed"), ("b", "skipped")]
    assert seen.of(events.ScenarioEnded)[1].lacking == ()


def test_a_refusal_ends_the_step_at_once(memory_mesh, options, clock):
    """What the API server says no to is not tried again, and its words are told."""
    memory_mesh.refuse = "Secret"
    began = clock.now()
    seen, _ = go([scenario(SECRET)], memory_mesh, options)
    assert seen.of(events.StepEnded)[0].why == ("refused: admission: Secret is not wanted here",)
    assert clock.now() - began < 0.2


def test_a_mesh_that_breaks_ends_the_run(memory_mesh, options):
    """The scenario fails, the rest is skipped, the clean-up says what it could not do."""
    seen = Seen()

    def die() -> None:
        memory_mesh.broken = True

    memory_mesh.on_request = die
    steps = SECRET + "  - request: {to: details, port: 9080, expect: {status: 500}}\n"
    with pytest.raises(Broken, match="the process is gone"):
        run.run([scenario(steps, "a"), scenario(SECRET, "b")], memory_mesh, seen.append, options)
    assert seen.verdicts == [("a", "failed"), ("b", "skipped")]
    assert seen.of(events.CleanupEnded)[0].failures == (
        "delete Secret default/s: not done, the mesh is gone",
    )
    assert isinstance(seen[-1], events.RunEnded)


def test_an_interrupt_cleans_up_and_reports(memory_mesh, options):
    """After Ctrl-C nothing stays in the mesh, the scenario is told as interrupted, the rest as skipped."""
    seen = Seen()

    def interrupt() -> None:
        raise KeyboardInterrupt

    memory_mesh.on_request = interrupt
    with pytest.raises(run.Interrupted):
        run.run([scenario(SECRET + SEES, "a"), scenario(SECRET, "b")], memory_mesh, seen.append, options)
    assert [(event.verdict, event.reason) for event in seen.of(events.ScenarioEnded)] == [
        ("failed", "interrupted"),
        ("skipped", "the run was interrupted"),
    ]
    assert memory_mesh.objects == {}


def test_a_fault_of_the_harness_is_told_as_one(memory_mesh, options):
    """A bug fails the step under its name, and clean-up and other scenarios go on."""

    def bug() -> None:
        raise ZeroDivisionError("a bug")

    memory_mesh.on_request = bug
    seen, ended = go([scenario(SECRET + SEES)], memory_mesh, options)
    assert ended.failed == 1
    why = seen.of(events.StepEnded)[1].why
    assert why[0] == "fault of the harness: ZeroDivisionError: a bug"
    assert memory_mesh.objects == {}


def test_bindings_that_the_mesh_lacks_are_told(memory_mesh, options):
    """A binding that this mesh does not offer fails its step in words."""
    steps = '  - push: {module: good/hello-v1, to: "${private_registry}/x:v1"}\n'
    seen, _ = go([scenario(steps)], memory_mesh, options)
    assert seen.of(events.StepEnded)[0].why[0].startswith("binding ${private_registry}: nothing is named")


def test_what_bindings_make_wrong_is_told(memory_mesh, options):
    """Arguments are checked again when their bindings have values."""
    memory_mesh.bindings = {**memory_mesh.bindings, "registry": "w(rld"}
    steps = '  - request: {to: details, port: 9080, expect: {body: {matches: "${registry}"}}}\n'
    seen, _ = go([scenario(steps)], memory_mesh, options)
    assert (
        seen.of(events.StepEnded)[0]
        .why[0]
        .startswith("with its bindings filled in: expect.body: no regular expression: ")
    )


def test_preflight_finds_what_is_missing_before_a_mesh_is_started(memory_sources):
    """A missing sample or file is a fault with a position; what only a run can know is left to it."""
    steps = (
        "  - push: {module: good/hello-v9, to: x}\n"
        '  - push: {module: "good/${namespace}", to: x}\n'
        "  - apply: {file: gone.yaml}\n"
    )
    assert run.preflight([scenario(steps)], memory_sources) == [
        "x.yaml:5:5: push.module: no sample good/hello-v9 for x.yaml",
        "x.yaml:7:5: apply.file: no file gone.yaml beside x.yaml",
    ]
