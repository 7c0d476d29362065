"""Pieces of an OpenAPI schema as the API server wants it, with words where a rule is broken.

Nothing here knows AutoWasm's fields. Rules are CEL; what they answer names the value that was found.
"""

from __future__ import annotations

import json
from typing import Any

from autowasm.istio import reading

Schema = dict[str, Any]


def mapping(description: str, properties: dict[str, Schema], required: list[str] | None = None) -> Schema:
    """An object with these fields and no others."""
    schema: Schema = {"description": description, "type": "object", "properties": properties}
    return schema | {"required": required} if required else schema


def text(description: str, rule: reading.Text, *, nullable: bool = False) -> Schema:
    """A string by a rule. A blank optional one (nullable) is absent, so that the rule lets "" through."""
    schema: Schema = {"description": description, "type": "string", "maxLength": rule.most}
    schema |= {"nullable": True} if nullable else {"minLength": 1}
    return schema | {"x-kubernetes-validations": pattern(rule, blank=nullable)} if rule.pattern else schema


def pattern(rule: reading.Text, *, blank: bool = False) -> list[dict[str, str]]:
    """The rules of a string with a pattern."""
    allowed = "self == '' || " if blank else ""
    return [saying(f"{allowed}self.matches(r'{rule.pattern}')", rule.rule)]


def choice(description: str, words: tuple[str, ...], default: str = "") -> Schema:
    """One of these words. A null is taken for absent without ``nullable``, which an enum does not go with."""
    schema: Schema = {"description": description, "type": "string", "maxLength": 32, "enum": list(words)}
    return schema | ({"default": default} if default else {})


def rule(cel: str, message: str) -> dict[str, str]:
    """A rule about an object."""
    return {"rule": cel, "message": message}


def saying(cel: str, message: str) -> dict[str, str]:
    """A rule about a string, whose answer quotes it."""
    quoted = json.dumps(f"{message}, found '")
    return rule(cel, message) | {"messageExpression": f'{quoted} + self + "\'"'}
