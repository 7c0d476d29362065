"""absent: an object goes (or stays away)."""

from __future__ import annotations

from typing import Final

from harness import converge
from harness.scenario import expectation
from harness.verbs import pacing, target
from harness.verbs.stage import Stage
from harness.verbs.verb import Done, Verb


class Absent(target.Target, expectation.Pace):
    """Wait until an object is not there, or (consistently) see that it stays away."""


def _run(params: Absent, stage: Stage) -> Done:
    ref = params.ref(stage)

    def look() -> converge.Look:
        there = stage.mesh.get(ref) is not None
        return converge.Look(f"{ref} is there" if there else "", "there" if there else "not there")

    return Done(pacing.tally(pacing.watch(params, look, stage, f"no {ref}")))


VERB: Final = Verb(Absent, _run, target.words, refers={"applied": "apply"})
