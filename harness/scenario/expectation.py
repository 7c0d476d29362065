"""What scenario keys may expect of an answer, of a load and over time. ``harness.expect`` judges by them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from harness.scenario import values

WITHIN: Final = 30.0
"""Seconds until which an expectation must have come true, where a step does not say: a push through istiod
takes well under one, but a loaded machine may need many."""
HTTP_SUCCESSES: Final = 3
"""Answers in a row that must be right: one may come from a listener that is about to be replaced."""

Count = Annotated[int, Field(ge=0)]
Port = Annotated[int, Field(ge=1, le=65535)]
HeaderName = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"), AfterValidator(str.lower)]
HeaderValues = Annotated[
    list[values.Text],
    BeforeValidator(values.one_or_more("text, {matches: regex}, {contains: part}")),
    Field(
        description="The header's one value, or the list of all its values in their order.",
        json_schema_extra=values.ONE_OR_MORE,
    ),
]
Statuses = Annotated[
    list[Annotated[int, Field(ge=100, le=599)]],
    BeforeValidator(values.one_or_more("a status")),
    Field(json_schema_extra=values.ONE_OR_MORE),
]


class _Expecting(values.Strict):
    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("nothing", "expects nothing: any answer would do")
        return self


class App(_Expecting):
    """What the application must have received; it tells so in its answer."""

    method: str | None = None
    path: values.Text | None = None
    port: Port | None = None
    headers: dict[HeaderName, HeaderValues] = Field(default_factory=dict)
    absent: list[HeaderName] = Field(default_factory=list, description="Headers that must not be there.")


class Answer(_Expecting):
    """What an answer must look like."""

    status: Statuses | None = Field(None, description="The status, or a list of those that will do.")
    headers: dict[HeaderName, HeaderValues] = Field(default_factory=dict)
    absent: list[HeaderName] = Field(default_factory=list, description="Headers that must not be there.")
    body: values.Text | None = None
    app: App | None = Field(None, description="What must have reached the application.")
    error: values.Text | None = Field(
        None, description="Why there must be no answer, as the client tells it; stands alone."
    )

    @model_validator(mode="after")
    def _error_alone(self) -> Self:
        if self.error and len(self.model_fields_set) > 1:
            raise PydanticCustomError("error", "expects an error and an answer: choose one")
        return self


class AtLeast(values.Strict):
    """A lower bound."""

    at_least: Count = Field(alias="at-least")


class Met(_Expecting):
    """What a load must have met."""

    sent: AtLeast | None = Field(None, description="How many requests must have been sent.")
    failed: Count | None = Field(None, description="Exactly how many requests must have failed.")
    longest_gap: values.Duration | None = Field(
        None, alias="longest-gap", description="The longest time between two good answers that will do."
    )
    seen: dict[HeaderName, list[str]] = Field(
        default_factory=dict,
        description="By watched header: the values that good answers had, each at least once and no other;"
        " one that lacked the header is a difference.",
    )


class Eventually(values.Strict):
    """It must come true: so many times in a row, until the time is over."""

    within: values.Duration = WITHIN
    successes: Annotated[int, Field(ge=1)] | None = None


class Consistently(values.Strict):
    """It must be true from now on, each time that it is looked at, for so long."""

    for_: values.Duration = Field(alias="for")


class Pace(values.Strict):
    """The base of verbs that look more than once; without either key they behave as ``eventually`` does."""

    eventually: Eventually | None = None
    consistently: Consistently | None = None

    @model_validator(mode="after")
    def _one_pace(self) -> Self:
        if self.eventually and self.consistently:
            raise PydanticCustomError("pace", "has both eventually and consistently: choose one")
        return self


def _is_pattern(value: Any) -> Any:
    if not isinstance(value, dict) or not value:
        raise PydanticCustomError("pattern", "must be a mapping that says at least one thing")
    return value


Pattern = Annotated[
    dict[str, Any],
    BeforeValidator(_is_pattern),
    WithJsonSchema(
        {
            "type": "object",
            "minProperties": 1,
            "description": (
                "The part of the object that matters. Mappings need the keys named here; null means absent;"
                " lists of things with a type or a name are found by it, other lists are compared whole;"
                " a text may be {matches: regex} or {contains: part}."
            ),
        }
    ),
]
"""A part of an object: see its JSON Schema description."""
