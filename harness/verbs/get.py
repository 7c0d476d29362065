"""get: an object is read once, for later steps to use or to be compared now."""

from __future__ import annotations

from typing import Final

from harness import expect as judge
from harness.scenario import expectation
from harness.verbs import target
from harness.verbs.stage import Stage
from harness.verbs.verb import Done, Failed, Verb


class Get(target.Target):
    """Read an object that must be there, once; ``as`` binds it."""

    expect: expectation.Pattern | None = None


def _run(params: Get, stage: Stage) -> Done:
    ref = params.ref(stage)
    found = stage.mesh.get(ref)
    if found is None:
        raise Failed([f"expected {ref}", "difference: there is none"])
    verdict = judge.thing(params.expect or {}, found)
    if not verdict.ok:
        expected = f"expected {ref} with {judge.thing_words(params.expect)}"
        raise Failed([expected, f"difference: {verdict.difference}", judge.thing_brief(params.expect, found)])
    return Done(str(ref), found)


VERB: Final = Verb(Get, _run, target.words, outputs=None, refers={"applied": "apply"})
