"""fault: harm is done to a mesh as accidents do it, and taken back.

What comes of it is for other steps to see. What can be taken back is taken back by a step that names it (``heal``),
and in any case when the scenario is over. Which harms there are is a table: a key, its arguments, the wish.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from harness.mesh import FaultWish
from harness.scenario.values import Duration, Strict
from harness.verbs.stage import Stage
from harness.verbs.verb import Done, Verb

_OUTPUTS: Final = ("pod", "container", "pid", "restarts")
_ONCE: Final = frozenset({"kill", "damage", "compact", "uncordon"})
"""Actions that leave nothing to take back."""


class Aim(Strict):
    """Who is harmed."""

    workload: str = Field(
        description="The workload, one of the system's (wasmer, autowasm-controller, istiod), or another part:"
        " registry, private-registry, kube-apiserver, etcd."
    )

    def wish(self, action: Any) -> FaultWish:
        """What a mesh is asked for."""
        given = {name: value for name, value in self.model_dump().items() if value is not None}
        return FaultWish(action, **given)


class Kill(Aim):
    """SIGKILL for the main process of a container: it is told nothing, and the kubelet starts it again.

    Of several pods it is the one that holds the workload's Lease, else the first by name.
    """

    container: str | None = Field(
        None, description="The container, such as istio-proxy; the application's own where none is named."
    )


class Cut(Aim):
    """Nothing passes between two parts of the mesh, and neither is told."""

    to: str = Field(description="The other one.")


class Flap(Aim):
    """It goes and comes, again and again."""

    seconds: Duration = Field(1.0, alias="every", description="How long it is away, and there, each time.")


class Slow(Aim):
    """What is sent to it arrives late."""

    seconds: Duration = Field(0.05, alias="delay", description="How long each piece takes, each way.")
    rate: Annotated[float, Field(ge=0)] = Field(0.0, description="Bytes a second, each way; 0 for no limit.")


class Damage(Aim):
    """A byte of a stored module is another one."""

    digest: str = Field(description="The module's, in hex.")


class Clock(Aim):
    """Its clock of the day jumps."""

    seconds: Duration = Field(alias="by", description="How far.")
    back: bool = Field(default=False, description="Whether it jumps back.")

    def wish(self, action: Any) -> FaultWish:
        """What a mesh is asked for."""
        return FaultWish(action, self.workload, seconds=-self.seconds if self.back else self.seconds)


class Fault(Strict):
    """Do harm, exactly one, or heal one; `as` names it, and binds, of a kill, pod, container, pid and restarts."""

    kill: Kill | None = None
    down: Kill | None = Field(None, description="It is killed, all of it, and stays away.")
    flap: Flap | None = None
    hang: Kill | None = Field(None, description="It stands still (SIGSTOP), all of it.")
    cut: Cut | None = None
    slow: Slow | None = None
    fill: Aim | None = Field(None, description="The disk that its data is on is full.")
    damage: Damage | None = None
    compact: bool | None = Field(None, description="etcd forgets all versions but the newest.")
    clock: Clock | None = None
    cordon: bool | None = Field(None, description="Whether every node refuses new pods from now on.")
    heal: str | None = Field(None, description="The name of the fault step that is taken back.")

    @model_validator(mode="after")
    def _one_harm(self) -> Self:
        if sum(getattr(self, key) is not None for key in self.keys()) != 1:
            raise PydanticCustomError("fault", f"needs exactly one of {', '.join(self.keys())}")
        return self

    def wish(self) -> FaultWish:
        """What a mesh is asked for."""
        action = next(key for key in self.keys() if getattr(self, key) is not None)
        asked = getattr(self, action)
        if isinstance(asked, Aim):
            return asked.wish(action)
        return FaultWish("compact" if action == "compact" else "cordon" if asked else "uncordon")


def _run(params: Fault, stage: Stage) -> Done:
    if params.heal is not None:
        return Done(stage.mesh.fault(_healing(stage.results[params.heal]["wish"])).detail)
    wish = params.wish()
    if wish.action not in _ONCE:
        stage.later(f"heal {_told(wish)}", lambda: stage.mesh.fault(_healing(wish)))
    done = stage.mesh.fault(wish)
    seen = f"process {done.pid}, container {done.container}" + (f" of pod {done.pod}" if done.pod else "")
    detail = (seen if done.pid else "") or ", ".join(done.nodes) or done.detail
    return Done(detail, {"wish": wish, **{name: getattr(done, name) for name in _OUTPUTS}})


def _healing(wish: FaultWish) -> FaultWish:
    return FaultWish("uncordon") if wish.action == "cordon" else dataclasses.replace(wish, heal=True)


def _told(wish: FaultWish) -> str:
    return f"{wish.action} {wish.workload}".strip()


def _words(args: Mapping[str, Any]) -> str:
    action, given = next(iter(args.items()), ("", None))
    if isinstance(given, Mapping):
        more = given.get("container") or given.get("to")
        return f"{action} {given.get('workload')}{f', {more}' if more else ''}"
    if action == "cordon":
        return "cordon" if given else "uncordon"
    return f"heal {given}" if action == "heal" else str(action)


VERB: Final = Verb(
    Fault, _run, _words, outputs=frozenset(_OUTPUTS), refers={"heal": "fault"}, needs=frozenset({"faults"})
)
