"""wait: an object becomes (or stays) what a pattern says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from harness import converge
from harness import expect as judge
from harness.scenario import expectation
from harness.verbs import pacing, target
from harness.verbs.stage import Stage
from harness.verbs.verb import Done, Verb


class Wait(target.Target, expectation.Pace):
    """Wait until an object is as it must be, or (consistently) see that it stays so; ``as`` binds it."""

    expect: expectation.Pattern


def _run(params: Wait, stage: Stage) -> Done:
    ref = params.ref(stage)
    found: Mapping[str, Any] | None = None

    def look() -> converge.Look:
        nonlocal found
        found = stage.mesh.get(ref)
        verdict = judge.thing(params.expect, found)
        difference = f"{ref} is not there" if found is None else verdict.difference
        return converge.Look(difference, judge.thing_brief(params.expect, found))

    course = pacing.watch(params, look, stage, f"{ref} with {judge.thing_words(params.expect)}")
    return Done(pacing.tally(course), found)


VERB: Final = Verb(Wait, _run, target.words, outputs=None, refers={"applied": "apply"})
