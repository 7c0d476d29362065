"""load: steady requests go on behind the steps that follow."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from harness.mesh import LoadWish
from harness.scenario import expectation
from harness.verbs import sending
from harness.verbs.stage import Stage
from harness.verbs.verb import Done, Verb

Connections = Annotated[int, Field(ge=0, le=64)]


class Load(sending.Sending):
    """Send requests without pause, until a stop-load step or the scenario's end; ``as`` names the load."""

    rate: Annotated[float, Field(gt=0, le=10_000)] = Field(
        50.0, description="Requests a second, of all together."
    )
    count: Annotated[int, Field(ge=1)] = Field(10_000, description="The most requests that are sent.")
    kept: Connections = Field(2, description="Clients that keep their connection.")
    fresh: Connections = Field(2, description="Clients that make a new connection for each request.")
    watch: list[expectation.HeaderName] = Field(
        default_factory=list, description="Headers of the answers whose values are counted."
    )


def _run(params: Load, stage: Stage) -> Done:
    load = stage.mesh.load(
        LoadWish(
            request=params.wish(),
            rate=params.rate,
            count=params.count,
            kept=params.kept,
            fresh=params.fresh,
            watch=tuple(params.watch),
        )
    )
    stage.later(f"stop the load on {params.to}:{params.port}", load.stop)
    return Done(f"{params.rate:g} requests a second", load)


VERB: Final = Verb(Load, _run, sending.words, needs=frozenset({"load"}))
