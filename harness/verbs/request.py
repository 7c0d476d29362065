"""request: a request is answered, and reaches the application, as it must."""

from __future__ import annotations

from typing import Final

from harness import converge
from harness import expect as judge
from harness.scenario import expectation
from harness.verbs import pacing, sending
from harness.verbs.stage import Stage
from harness.verbs.verb import Done, Verb


class Request(sending.Sending, expectation.Pace):
    """Send a request until the answer is as it must be, or (consistently) see that it stays so."""

    expect: expectation.Answer


def _run(params: Request, stage: Stage) -> Done:
    wish = params.wish()

    def look() -> converge.Look:
        seen = stage.mesh.request(wish)
        return converge.Look(
            judge.answer(params.expect, seen).difference, judge.answer_brief(params.expect, seen)
        )

    expected = judge.answer_words(params.expect)
    course = pacing.watch(params, look, stage, expected, expectation.HTTP_SUCCESSES)
    return Done(f"{course.last[-1].brief}, {course.tries} requests")


VERB: Final = Verb(Request, _run, sending.words, needs=frozenset({"traffic"}))
