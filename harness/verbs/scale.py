"""scale: a workload gets more replicas, or fewer; it has as many as before when the scenario is over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import Field

from harness.mesh import ScaleWish
from harness.scenario.values import Strict
from harness.verbs.stage import Stage
from harness.verbs.verb import Done, Verb


class Scale(Strict):
    """Have so many replicas, all of them ready."""

    workload: str = Field(description="The workload, or one of the system's: wasmer, autowasm-controller.")
    replicas: Annotated[int, Field(ge=1, le=100)]


def _run(params: Scale, stage: Stage) -> Done:
    scaled = stage.mesh.scale(ScaleWish(params.workload, params.replicas))
    back = ScaleWish(params.workload, scaled.before)
    if scaled.before != params.replicas:
        stage.later(f"scale {params.workload} back to {scaled.before}", lambda: stage.mesh.scale(back))
    return Done(f"{scaled.before} before, now {len(scaled.pods)}")


def _words(args: Mapping[str, Any]) -> str:
    return f"{args.get('workload')} to {args.get('replicas')}"


VERB: Final = Verb(Scale, _run, _words, needs=frozenset({"replicas"}))
