"""The format as one pydantic model, made of the frame below and of a table of verbs; and its JSON Schema.

The frame knows no verb. A step is a mapping of one verb, so an unknown verb is an unknown key like any other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Self, cast

from pydantic import AfterValidator, Field, WithJsonSchema, create_model, model_validator
from pydantic_core import PydanticCustomError

from harness.scenario import model, values
from harness.scenario.faults import suggest

SCHEMA_NAME: Final = "scenario.schema.json"
_NAME: Final = (
    "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"  # as Kubernetes' names, since both name folders and objects
)
_FRAME: Final = frozenset({"title", "as_"})


def _capability(word: str) -> str:
    if word not in model.CAPABILITIES:
        hint = suggest(word, model.CAPABILITIES)
        raise PydanticCustomError("word", 'unknown capability "{word}"{hint}', {"word": word, "hint": hint})
    return word


def _one_sentence(text: str) -> str:
    if not text.endswith(".") or "\n" in text or len(text) < 2:
        raise PydanticCustomError("claim", "must be one sentence on one line, with its full stop")
    return text


def _name(text: str) -> str:
    if not re.fullmatch(_NAME, text):
        found = {"found": text[:80]}
        raise PydanticCustomError("name", 'must be lower-case words with hyphens, found "{found}"', found)
    return text


Name = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$"})]
StepName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
Capability = Annotated[
    str, AfterValidator(_capability), WithJsonSchema({"type": "string", "enum": list(model.CAPABILITIES)})
]


class _StepFrame(values.Strict):
    """One verb, with a title where the verb alone does not say enough."""

    title: str = Field("", description="What the step is for; the report shows it.")
    as_: StepName = Field(
        "", alias="as", description="A name under which later steps find this step's result."
    )

    @model_validator(mode="after")
    def _one_verb(self) -> Self:
        verbs = [self.key(name) for name in sorted(self.model_fields_set - _FRAME)]
        if not verbs:
            raise PydanticCustomError("no_verb", "a step needs a verb")
        if len(verbs) > 1:
            found = {"found": ", ".join(verbs)}
            raise PydanticCustomError("verbs", "a step has one verb, found {found}", found)
        return self

    @classmethod
    def key(cls, name: str) -> str:
        """The key of a field as it is written."""
        return cls.model_fields[name].alias or name


class _ScenarioFrame(values.Strict):
    """One behaviour of a filter in a mesh: a claim, and the steps that prove it."""

    name: Name = Field(description="Unique in a run; names the folder of its artifacts.")
    claim: Annotated[str, AfterValidator(_one_sentence)] = Field(
        description="What the scenario proves, in one sentence."
    )
    labels: dict[str, str] = Field(default_factory=dict, description="Words to select scenarios by.")
    requires: list[Capability] = Field(
        default_factory=list, description="What the mesh must be able to do; else the scenario is skipped."
    )


def frame(verbs: Mapping[str, model.Shape]) -> type[values.Strict]:
    """The model of a scenario file for these verbs."""
    fields: dict[str, Any] = {
        verb.replace("-", "_"): (shape.params, Field(None, alias=verb, description=shape.params.__doc__))
        for verb, shape in verbs.items()
    }
    step = create_model("Step", __base__=_StepFrame, __doc__=_StepFrame.__doc__, **fields)
    field = Field(min_length=1, description="In their order; the first that fails ends the scenario.")
    steps: Any = (list[cast("Any", step)], field)  # type: ignore[misc]
    return create_model("Scenario", __base__=_ScenarioFrame, __doc__=_ScenarioFrame.__doc__, steps=steps)


def schema(verbs: Mapping[str, model.Shape]) -> dict[str, Any]:
    """JSON Schema (2020-12) of the format, for editors; it says of steps what their model says."""
    made = frame(verbs).model_json_schema(by_alias=True)
    step = made["$defs"]["Step"]
    step["oneOf"] = [{"required": [verb]} for verb in verbs]
    tidy: dict[str, Any] = _tidy(made)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **tidy}


def _tidy(part: Any) -> Any:
    """Without what a writer must not write (null) or need not read (titles made of names, empty defaults)."""
    if isinstance(part, list):
        return [_tidy(item) for item in part]
    if not isinstance(part, dict):
        return part
    kept = {key: _tidy(value) for key, value in part.items() if not _is_noise(key, value)}
    if kept.get("type") == "string" and not isinstance(kept.get("default", ""), str):
        del kept["default"]  # a duration's default is in seconds, but it is written as text
    choices = kept.get("anyOf", [])
    if {"type": "null"} in choices:
        choices.remove({"type": "null"})
    if len(choices) == 1:
        kept = {**kept.pop("anyOf")[0], **kept}
    if kept.pop("oneOrMore", False):
        told = {key: kept.pop(key) for key in ("description",) if key in kept}
        kept = {"anyOf": [kept["items"], {**kept, "minItems": 1}], **told}
    return kept


def _is_noise(key: str, value: Any) -> bool:
    return (key == "default" and not value) or (key == "title" and isinstance(value, str))
