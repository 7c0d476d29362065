"""fault: a process is killed on its node, or the nodes take no pods any more.

What comes of it is for other steps to see. Nodes that a scenario cordoned are uncordoned when it is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from harness.mesh import FaultWish
from harness.scenario.values import Strict
from harness.verbs.stage import Stage
from harness.verbs.verb import Done, Verb

_OUTPUTS: Final = ("pod", "container", "pid", "restarts")


class Kill(Strict):
    """SIGKILL for the main process of a container: it is told nothing, and the kubelet starts it again."""

    workload: str = Field(
        description="The workload, or one of the system's: wasmer, autowasm-controller, istiod. Of several pods it is"
        " the one that holds the workload's Lease, else the first by name."
    )
    container: str | None = Field(
        None, description="The container, such as istio-proxy; the application's own where none is named."
    )


class Fault(Strict):
    """Do harm: exactly one; `as` binds, of a kill, pod, container, pid, and its restartCount once it is back."""

    kill: Kill | None = None
    cordon: bool | None = Field(None, description="Whether every node refuses new pods from now on.")

    @model_validator(mode="after")
    def _one_harm(self) -> Self:
        if (self.kill is None) == (self.cordon is None):
            raise PydanticCustomError("fault", "needs exactly one of kill, cordon")
        return self


def _run(params: Fault, stage: Stage) -> Done:
    if params.kill is None:
        return _cordon(stage, on=bool(params.cordon))
    wish = FaultWish("kill", params.kill.workload, params.kill.container or "")
    done = stage.mesh.fault(wish)
    seen = f"process {done.pid}, container {done.container} of pod {done.pod}"
    return Done(seen, {name: getattr(done, name) for name in _OUTPUTS})


def _cordon(stage: Stage, *, on: bool) -> Done:
    if on:
        stage.later("uncordon the nodes", lambda: stage.mesh.fault(FaultWish("uncordon")))
    done = stage.mesh.fault(FaultWish("cordon" if on else "uncordon"))
    return Done(", ".join(done.nodes))


def _words(args: Mapping[str, Any]) -> str:
    kill = args.get("kill")
    if isinstance(kill, Mapping):
        container = kill.get("container")
        return f"kill {kill.get('workload')}{f', {container}' if container else ''}"
    return "cordon" if args.get("cordon") else "uncordon"


VERB: Final = Verb(Fault, _run, _words, outputs=frozenset(_OUTPUTS), needs=frozenset({"faults"}))
