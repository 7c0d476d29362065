"""Options that are given as NAME=VALUE, each name once."""

from __future__ import annotations

from collections.abc import Sequence

from autowasm import errors


def read(option: str, form: str, given: Sequence[str], second: str) -> dict[str, str]:
    """The values by their names; ``second`` says, of ``{key}``, why a name may not be given twice.

    Raises:
        errors.Usage: one is not of that form, or a name is given twice.
    """
    found: dict[str, str] = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise errors.Usage(f"{option} {pair!r}: must be written as {form}")
        if key in found:
            raise errors.Usage(f"{option} {pair!r}: must be given once, {second.format(key=key)}")
        found[key] = value
    return found
