"""stop-load: a load ends, and what it met is judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import Field

from harness import expect as judge
from harness.scenario import expectation, values
from harness.verbs.stage import Stage
from harness.verbs.verb import Done, Failed, Verb


class StopLoad(values.Strict):
    """Stop a load, wait for what is under way, and judge what it met."""

    load: str = Field(description="The name of the load step.")
    expect: expectation.Met


def _run(params: StopLoad, stage: Stage) -> Done:
    result = stage.results[params.load].stop()
    verdict = judge.load(params.expect, result)
    brief = judge.load_brief(result)
    if not verdict.ok:
        failures = [f"  {failure}" for failure in result.failures[:3]]
        expected = f"expected of the load: {judge.load_words(params.expect)}"
        raise Failed([expected, f"difference: {verdict.difference}", f"met: {brief}", *failures])
    return Done(brief)


def _words(args: Mapping[str, Any]) -> str:
    return str(args.get("load"))


VERB: Final = Verb(StopLoad, _run, _words, refers={"load": "load"}, needs=frozenset({"load"}))
