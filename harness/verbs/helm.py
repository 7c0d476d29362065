"""helm: the release of the wasmer chart gets other values, or those back that it had before the scenario.

What a scenario changed of the release is rolled back when it is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from harness.mesh import HelmWish
from harness.scenario.values import Duration, Strict
from harness.verbs.stage import Stage
from harness.verbs.verb import Done, Failed, Verb


class Helm(Strict):
    """Upgrade the release with values, or roll it back to before; ``as`` binds its revision and status."""

    action: Literal["upgrade", "rollback"]
    values: dict[str, Any] = Field(
        default_factory=dict, description="Laid over the values that the release has."
    )
    wait: bool = Field(default=True, description="Go on only when what changed is ready.")
    timeout: Duration = Field(120.0, description="How long that may take.")

    @model_validator(mode="after")
    def _values_for_an_upgrade(self) -> Self:
        if self.action == "upgrade" and not self.values:
            raise PydanticCustomError("helm", "an upgrade needs values: without any it changes nothing")
        if self.action == "rollback" and self.values:
            raise PydanticCustomError("helm", "a rollback takes no values: it brings the former ones back")
        return self


def _run(params: Helm, stage: Stage) -> Done:
    revision = None
    if params.action == "upgrade":
        _own(stage)
    else:
        revision = _former(stage)
    wish = HelmWish(
        params.action,
        values=params.values,
        revision=revision,
        wait=params.wait,
        timeout=params.timeout * stage.patience,
    )
    release = stage.mesh.helm(wish)
    seen = {"revision": release.revision, "status": release.status}
    return Done(f"revision {release.revision}, {release.status}", seen)


def _own(stage: Stage) -> None:
    """Remember the release as it is before its first change, and have it back in the end."""
    if stage.release is None:
        before = stage.mesh.helm(HelmWish("status")).revision
        stage.release = before
        stage.later(
            f"helm rollback to revision {before}",
            lambda: stage.mesh.helm(HelmWish("rollback", revision=before)),
        )


def _former(stage: Stage) -> int:
    if stage.release is None:
        raise Failed(["helm rollback: the scenario must have upgraded before, it has not"])
    return stage.release


def _words(args: Mapping[str, Any]) -> str:
    return str(args.get("action"))


VERB: Final = Verb(Helm, _run, _words, outputs=frozenset({"revision", "status"}), needs=frozenset({"helm"}))
