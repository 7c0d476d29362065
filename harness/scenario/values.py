"""The small values that scenario keys share: the base of every mapping, durations, texts to be matched.

Mappings are strict: unknown keys are faults, nothing is converted silently (``"9080"`` is no port).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    JsonValue,
    ModelWrapValidatorHandler,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0}


class Strict(BaseModel):
    """A mapping whose keys are all known; an unknown one is told together with the keys that there are."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="wrap")
    @classmethod
    def _tell_known_keys(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            details = [_told(dict(item), cls.keys()) for item in error.errors(include_url=False)]
            raise ValidationError.from_exception_data(cls.__name__, details) from None

    @classmethod
    def keys(cls) -> list[str]:
        """The keys as they are written."""
        return [field.alias or name for name, field in cls.model_fields.items()]


def _told(item: dict[str, Any], known: list[str]) -> InitErrorDetails:
    kind, context = item["type"], item.get("ctx")
    if kind == "extra_forbidden" and len(item["loc"]) == 1:
        kind, context = "unknown_key", {"known": known}
    return InitErrorDetails(
        type=PydanticCustomError(kind, item["msg"], context), loc=item["loc"], input=item["input"]
    )


def _seconds(value: Any) -> float:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise PydanticCustomError("duration", 'must be a duration such as "500ms", "20s" or "2m"')
    return float(match[1]) * _UNITS[match[2]]


Duration = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema(
        {"type": "string", "pattern": f"^{_DURATION.pattern}$", "examples": ["500ms", "20s", "2m"]}
    ),
]
"""Seconds, written as ``500ms``, ``20s`` or ``2m``."""


class Matcher(Strict):
    """What a text must be: the text itself, ``{matches: regex}`` (the whole text) or ``{contains: part}``."""

    equals: str | None = None
    matches: str | None = Field(None, description="A regular expression for the whole text.")
    contains: str | None = Field(None, description="A part of the text.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.equals, self.matches, self.contains)) != 1:
            raise PydanticCustomError("matcher", "needs exactly one of matches, contains")
        if self.matches is not None:
            _check_regex(self.matches)
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        handler.resolve_ref_schema(schema)["properties"].pop("equals", None)
        return {"anyOf": [{"type": "string"}, schema]}

    def accepts(self, text: str) -> bool:
        """Whether the text is as it must be."""
        if self.matches is not None:
            return re.fullmatch(self.matches, text, re.DOTALL) is not None
        return self.contains in text if self.contains is not None else text == self.equals

    def __str__(self) -> str:
        if self.matches is not None:
            return f"a text that matches {self.matches}"
        return f'a text that contains "{self.contains}"' if self.contains is not None else f'"{self.equals}"'


def _check_regex(pattern: str) -> None:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise PydanticCustomError("regex", "no regular expression: {why}", {"why": str(error)}) from None


def _matcher(value: Any) -> Any:
    if isinstance(value, str):
        return {"equals": value}
    if isinstance(value, dict) and "equals" not in value:
        return value
    raise PydanticCustomError("text", "must be text, {matches: regex} or {contains: part}")


Text = Annotated[Matcher, BeforeValidator(_matcher)]


ONE_OR_MORE: Final[dict[str, JsonValue]] = {"oneOrMore": True}
"""Marks a list in the JSON Schema that may also be written as its one item."""


def one_or_more(kind: str) -> Callable[[Any], Any]:
    """A validator for keys that take one value or a list of them."""

    def listed(value: Any) -> Any:
        if value is None or value == []:
            raise PydanticCustomError("one_or_more", f"must be {kind} or a list of them")
        return value if isinstance(value, list) else [value]

    return listed
