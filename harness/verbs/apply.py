"""apply: an object is created or changed, as ``kubectl apply --server-side`` does it.

A scenario changes only what it made itself, and what it made goes when it is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from harness.mesh import ObjectRef
from harness.scenario import bindings, document, values
from harness.scenario.faults import BadFile
from harness.verbs import target
from harness.verbs.stage import Stage
from harness.verbs.verb import Done, Failed, Verb


def _has_names(manifest: Any) -> dict[str, Any]:
    if not isinstance(manifest, dict):
        raise PydanticCustomError("manifest", "an object is a mapping")
    metadata = manifest.get("metadata")
    names = {**manifest, "metadata.name": metadata.get("name") if isinstance(metadata, dict) else None}
    for key in ("apiVersion", "kind", "metadata.name"):
        if not isinstance(names.get(key), str):
            raise PydanticCustomError("manifest", "an object needs {key}, as text", {"key": key})
    return manifest


_SCHEMA: Final = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata"],
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
    },
}
Manifest = Annotated[dict[str, Any], AfterValidator(_has_names), WithJsonSchema(_SCHEMA)]


class Apply(values.Strict):
    """Create or change an object, and delete it when the scenario is over; ``as`` binds it as stored."""

    object: Manifest | None = Field(None, description="The object.")
    file: str | None = Field(None, description="A YAML file beside the scenario that holds the object.")

    @model_validator(mode="after")
    def _one_object(self) -> Self:
        if (self.object is None) == (self.file is None):
            raise PydanticCustomError("apply", "needs exactly one of object, file")
        return self


def _run(params: Apply, stage: Stage) -> Done:
    manifest = params.object or _from_file(params.file or "", stage)
    ref = target.of(manifest)
    if ref not in stage.owned:
        _own(ref, stage)
    stored = stage.mesh.apply(manifest)
    return Done(str(ref), stored)


def _own(ref: ObjectRef, stage: Stage) -> None:
    if stage.mesh.get(ref) is not None:
        raise Failed([f"{ref} is there already: a scenario changes only what it made itself"])
    stage.owned.add(ref)
    stage.later(f"delete {ref}", lambda: stage.mesh.delete(ref))


def _from_file(name: str, stage: Stage) -> dict[str, Any]:
    try:
        documents = document.read(stage.sources.file(name, stage.scenario), name)
        if len(documents) != 1:
            raise Failed([f"{name} holds {len(documents)} objects: a step applies one"])
        return _has_names(bindings.fill(documents[0].data, stage.bindings))
    except (BadFile, bindings.Unbound, PydanticCustomError, ValueError) as error:
        raise Failed(str(error).splitlines()) from None


def _words(args: Mapping[str, Any]) -> str:
    manifest = args.get("object")
    if not isinstance(manifest, Mapping):
        return str(args.get("file"))
    return f"{manifest['kind']} {manifest['metadata']['name']}"


VERB: Final = Verb(Apply, _run, _words, outputs=None, reads={"file": "file"})
