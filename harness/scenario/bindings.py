"""``${name}`` and ``${name.field.field}`` in the texts of a scenario: where they stand, and filling them in.

A text that is one binding and nothing else becomes the bound value itself, of whatever type; elsewhere the
value is written as text. ``$${`` stands for a plain ``${``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from harness.scenario.faults import Path, suggest

_BINDING: Final = re.compile(r"\$\$\{|\$\{([^{}]*)\}")


class Unbound(Exception):
    """A binding that has no value, with the words for it."""


def names(text: str) -> list[str]:
    """The bindings of a text, ``v1.digest`` as one."""
    return [match[1] for match in _BINDING.finditer(text) if match[1] is not None]


def uses(data: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every binding in plain data with the path of the text that holds it; keys hold none."""
    if isinstance(data, str):
        for name in names(data):
            yield path, name
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from uses(value, (*path, key))
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from uses(item, (*path, index))


def fill(data: Any, values: Mapping[str, Any]) -> Any:
    """The data with its bindings replaced.

    Raises:
        Unbound: a name or a field is not there.
    """
    if isinstance(data, str):
        return _fill_text(data, values)
    if isinstance(data, Mapping):
        return {key: fill(value, values) for key, value in data.items()}
    if isinstance(data, list):
        return [fill(item, values) for item in data]
    return data


def _fill_text(text: str, values: Mapping[str, Any]) -> Any:
    whole = _BINDING.fullmatch(text)
    if whole and whole[1] is not None:
        return look_up(whole[1], values)
    return _BINDING.sub(lambda match: "${" if match[1] is None else _as_text(look_up(match[1], values)), text)


def look_up(name: str, values: Mapping[str, Any]) -> Any:
    """The value of ``v1.digest``, walked field by field.

    Raises:
        Unbound: a name or a field is not there.
    """
    value: Any = values
    for part in name.split("."):
        if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, Mapping) and part in value:
            value = value[part]
        else:
            known = list(value) if isinstance(value, Mapping) else []
            raise Unbound(f"binding ${{{name}}}: nothing is named {part!r}{suggest(part, known)}")
    return value


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
