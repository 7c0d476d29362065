"""Which object a step is about: one that is named, or the one that an earlier step applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from harness.mesh import ObjectRef
from harness.scenario import values
from harness.verbs.stage import Stage


class Named(values.Strict):
    """An object by its names; without a namespace the mesh's own one, ``""`` for things that have none."""

    api_version: str = Field(alias="apiVersion")
    kind: str
    name: str
    namespace: str | None = None


class Target(values.Strict):
    """The base of verbs about one object."""

    object: Named | None = Field(None, description="The object by its names.")
    applied: str | None = Field(None, description="The object that the step with this name applied.")

    @model_validator(mode="after")
    def _one_object(self) -> Self:
        if (self.object is None) == (self.applied is None):
            raise PydanticCustomError("target", "needs exactly one of object, applied")
        return self

    def ref(self, stage: Stage) -> ObjectRef:
        """The object, with its namespace."""
        if self.object is None:
            return of(stage.results[self.applied or ""])
        namespace = self.object.namespace
        if namespace is None:
            namespace = stage.mesh.bindings["namespace"]
        return ObjectRef(self.object.api_version, self.object.kind, namespace, self.object.name)


def of(manifest: Mapping[str, Any]) -> ObjectRef:
    """The object that a manifest is about."""
    metadata = manifest["metadata"]
    return ObjectRef(
        manifest["apiVersion"], manifest["kind"], metadata.get("namespace", ""), metadata["name"]
    )


def words(args: Mapping[str, Any]) -> str:
    """The object in a few words, for a step without a title."""
    named = args.get("object")
    return (
        f"{named.get('kind')} {named.get('name')}" if isinstance(named, Mapping) else str(args.get("applied"))
    )
