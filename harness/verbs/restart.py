"""restart: a workload's pods are replaced by new ones, as ``kubectl rollout restart`` does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import Field

from harness.mesh import RestartWish
from harness.scenario import values
from harness.verbs.stage import Stage
from harness.verbs.verb import Done, Verb


class Restart(values.Strict):
    """Roll a workload over; ``as`` binds the Deployment's generation and, after a wait, the name of a new pod."""

    workload: str = Field(description="The workload, or one of the system's: wasmer, autowasm-controller.")
    wait: bool = Field(
        default=True, description="Go on only when the new pods are ready and the old ones are gone."
    )
    timeout: values.Duration = Field(120.0, description="How long that may take.")


def _run(params: Restart, stage: Stage) -> Done:
    wish = RestartWish(params.workload, wait=params.wait, timeout=params.timeout * stage.patience)
    rollout = stage.mesh.restart(wish)
    seen = f"new: {', '.join(rollout.pods)}" if params.wait else f"generation {rollout.generation} begun"
    pod = {"pod": rollout.pods[0]} if rollout.pods else {}
    return Done(seen, {"generation": rollout.generation, **pod})


def _words(args: Mapping[str, Any]) -> str:
    return str(args.get("workload"))


VERB: Final = Verb(Restart, _run, _words, outputs=frozenset({"generation", "pod"}), needs=frozenset({"pods"}))
