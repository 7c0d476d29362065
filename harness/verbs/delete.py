"""delete: an object goes, and the step is over when it is gone."""

from __future__ import annotations

from typing import Final

from harness.verbs import target
from harness.verbs.stage import Stage
from harness.verbs.verb import Done, Failed, Verb


class Delete(target.Target):
    """Delete an object that is there, and wait until it is gone."""


def _run(params: Delete, stage: Stage) -> Done:
    ref = params.ref(stage)
    if not stage.mesh.delete(ref):
        raise Failed([f"{ref}: expected to be there and to be deleted", "difference: there was none"])
    return Done(str(ref))


VERB: Final = Verb(Delete, _run, target.words, refers={"applied": "apply"})
