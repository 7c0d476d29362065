"""``WWW-Authenticate`` to the grammar of RFC 9110, section 11.6.1.

    WWW-Authenticate = #challenge
    challenge        = scheme [ 1*SP ( token68 / #( token BWS "=" BWS ( token / quoted-string ) ) ) ]

The list of challenges and the list of parameters share their comma; a word is a new scheme exactly when no
"=" follows it. Which challenge is answered, and how, is for ``registry.auth`` to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from autowasm import errors, limits

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TOKEN68: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|\Z))")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_EQUALS: Final = re.compile(r"[ \t]*=[ \t]*")
_SPACE: Final = re.compile(r"[ \t]*")
_COMMAS: Final = re.compile(r"[ \t,]*")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge: ``scheme`` and the names of ``parameters`` in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    token68: str = ""


def parse(values: Iterable[str]) -> tuple[Challenge, ...]:
    """The challenges of all WWW-Authenticate fields of an answer, in their order.

    Raises:
        errors.Final: reason Unauthorized: the server asks for credentials in words that are none.
    """
    found: list[Challenge] = []
    for value in values:
        if len(value) > limits.CHALLENGE_CHARS:
            raise _bad(f"must have at most {limits.CHALLENGE_CHARS} characters, has {len(value)}")
        found.extend(_Reader(value).challenges())
    return tuple(found)


def _bad(message: str) -> errors.Final:
    return errors.Final(f"www-authenticate: {message}", side="registry", reason="Unauthorized")


class _Reader:
    """Reads one field value from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def challenges(self) -> list[Challenge]:
        found = []
        self._take(_COMMAS)
        while self._at < len(self._text):
            found.append(self._challenge())
            self._take(_COMMAS)
        return found

    def _challenge(self) -> Challenge:
        scheme = self._need(_TOKEN, "a scheme").lower()
        spaced = self._take(_SPACE)
        if not spaced or self._peek_comma():
            if self._at < len(self._text) and not self._peek_comma():
                raise self._fault("a space or a comma after the scheme")
            return Challenge(scheme)
        token68 = self._token68()
        return Challenge(scheme, {}, token68) if token68 else Challenge(scheme, self._parameters())

    def _token68(self) -> str:
        match = _TOKEN68.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match.group()

    def _parameters(self) -> dict[str, str]:
        parameters: dict[str, str] = {}
        while True:
            name = self._need(_TOKEN, "a parameter").lower()
            if not self._take(_EQUALS):
                raise self._fault(f"'=' after the parameter {name}")
            if name in parameters:
                raise _bad(f"a parameter must be there once, found {name!r} twice")
            parameters[name] = self._value()
            if not self._next_is_parameter():
                return parameters

    def _value(self) -> str:
        quoted = _QUOTED.match(self._text, self._at)
        if quoted is None:
            return self._need(_TOKEN, "a value")
        self._at = quoted.end()
        return _ESCAPE.sub(r"\1", quoted.group(1))

    def _next_is_parameter(self) -> bool:
        """Move over the commas; say whether what follows still belongs to this challenge."""
        gap = self._take(_COMMAS)
        if self._at == len(self._text):
            return False
        if "," not in gap:
            raise self._fault("a comma between parameters")
        word = _TOKEN.match(self._text, self._at)
        return word is not None and _EQUALS.match(self._text, word.end()) is not None

    def _peek_comma(self) -> bool:
        return self._text.startswith(",", self._at)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match.group()

    def _need(self, pattern: re.Pattern[str], what: str) -> str:
        text = self._take(pattern)
        if not text:
            raise self._fault(what)
        return text

    def _fault(self, what: str) -> errors.Final:
        return _bad(
            f"must have {what} at character {self._at}, found {self._text[self._at : self._at + 20]!a}"
        )
