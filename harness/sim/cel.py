"""Expressions of the Common Expression Language over a stream's properties, as expr_create and expr_evaluate have them.

Source: github.com/google/cel-spec, doc/langdef.md. Here are literals, properties, operators, the conditional, ``in``,
``has``, and the functions size, startsWith, endsWith, contains, matches, int, string and double; there are no other
macros. Integers are not checked for overflow.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from harness.sim import values
from harness.sim.maps import HeaderMap

Lookup = Callable[[bytes], Any]
"""Gives a property by its first part, None where there is none."""
Node = Callable[[Lookup], Any]


class Unreadable(ValueError):
    """Text that is no expression."""


class Failed(Exception):
    """An expression that has no value: a property is missing, or types do not fit."""


_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<float>\d+\.\d+(?:[eE][+-]?\d+)?)|(?P<int>0x[0-9a-fA-F]+|\d+)(?P<u>[uU])?
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<name>[A-Za-z_]\w*)
    |(?P<op>&&|\|\||[=!<>]=|[-+*/%<>!?:.,()\[\]{}]))""",
    re.VERBOSE,
)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "0": "\0"}
_CONSTANTS: Final = {"true": True, "false": False, "null": None}


def _in(item: Any, group: Any) -> bool:
    return values.inside(group, item.encode()) is not None if isinstance(group, HeaderMap) else item in group


def _divided(dividend: Any, divisor: Any) -> Any:
    """Towards zero, as integers are divided."""
    if isinstance(dividend, float):
        return dividend / divisor
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


_LEVELS: Final[tuple[Mapping[str, Callable[[Any, Any], Any]], ...]] = (
    {
        "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
        ">=": operator.ge, "in": _in,
    },
    {"+": operator.add, "-": operator.sub},
    {"*": operator.mul, "/": _divided, "%": lambda a, b: a - b * _divided(a, b)},
)  # fmt: skip
_ANY: Final = ("==", "!=", "in")
"""What takes operands of different types."""
_JOINED: Final = ("+", "<", "<=", ">", ">=")
"""What takes more than numbers, as long as both are of one type."""
_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "size": lambda of: len(of.pairs) if isinstance(of, HeaderMap) else len(of),
    "startsWith": lambda text, start: text.startswith(start),
    "endsWith": lambda text, end: text.endswith(end),
    "contains": lambda text, part: part in text,
    "matches": lambda text, pattern: re.search(pattern, text) is not None,
    "int": int,
    "string": lambda of: str(of).lower() if isinstance(of, bool) else str(of),
    "double": float,
}


_FAULTS: Final = (
    TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError, re.error,
)  # fmt: skip


def parse(text: str) -> Node:
    """Read an expression.

    Raises:
        Unreadable: it is none.
    """
    parser = _Parser(_tokens(text))
    try:
        node = parser.conditional()
    except RecursionError as error:
        raise Unreadable("too deep") from error
    if parser.here[0] != "end":
        raise Unreadable(f"unexpected {parser.here[1]!r}")
    return node


def evaluate(node: Node, lookup: Lookup) -> Any:
    """Its value for a stream.

    Raises:
        Failed: it has none.
    """
    try:
        return node(lookup)
    except (
        TypeError,
        ValueError,
        ZeroDivisionError,
        IndexError,
        KeyError,
        AttributeError,
        re.error,
    ) as error:
        raise Failed(str(error)) from error


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Unreadable(f"unexpected {text[at : at + 8]!r}")
        kind = next(name for name in ("float", "int", "text", "name", "op") if match[name] is not None)
        found.append((kind, match[kind]))
        at = match.end()
    return [*found, ("end", "")]


class _Parser:
    """Recursive descent, a method a level of precedence."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens, self._at = tokens, 0

    @property
    def here(self) -> tuple[str, str]:
        return self._tokens[self._at]

    def _take(self, *texts: str) -> str | None:
        kind, text = self.here
        if text in texts and kind in ("op", "name"):
            self._at += 1
            return text
        return None

    def _need(self, text: str) -> None:
        if self._take(text) is None:
            raise Unreadable(f"{text!r} is missing")

    def conditional(self) -> Node:
        condition = self._either()
        if self._take("?") is None:
            return condition
        yes = self._either()
        self._need(":")
        no = self.conditional()
        return lambda look: yes(look) if _truth(condition(look)) else no(look)

    def _either(self) -> Node:
        node = self._both()
        while self._take("||"):
            node = _logical(node, self._both(), decisive=True)
        return node

    def _both(self) -> Node:
        node = self._level(0)
        while self._take("&&"):
            node = _logical(node, self._level(0), decisive=False)
        return node

    def _level(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        node = self._level(level + 1)
        while (taken := self._take(*_LEVELS[level])) is not None:
            node = _binary(taken, _LEVELS[level][taken], (node, self._level(level + 1)))
        return node

    def _unary(self) -> Node:
        if self._take("!"):
            negated = self._unary()
            return lambda look: not _truth(negated(look))
        if self._take("-"):
            number = self._unary()
            return lambda look: -number(look)
        return self._member()

    def _member(self) -> Node:
        node = self._primary()
        while (taken := self._take(".", "[")) is not None:
            if taken == "[":
                key = self.conditional()
                self._need("]")
                node = _index(node, key)
                continue
            kind, name = self.here
            if kind != "name":
                raise Unreadable("a name is missing")
            self._at += 1
            node = _called(name, [node, *self._arguments()]) if self._take("(") else _select(node, name)
        return node

    def _arguments(self) -> list[Node]:
        found: list[Node] = []
        while self._take(")") is None:
            if found:
                self._need(",")
            found.append(self.conditional())
        return found

    def _primary(self) -> Node:
        kind, text = self.here
        self._at += 1
        if kind in ("int", "float", "text"):
            return _constant(_READ[kind](text))
        if kind == "name":
            return self._named(text)
        if text == "(":
            node = self.conditional()
            self._need(")")
            return node
        if text == "[":
            return self._list()
        raise Unreadable(f"unexpected {text!r}")

    def _named(self, name: str) -> Node:
        if name in _CONSTANTS:
            return _constant(_CONSTANTS[name])
        if self._take("("):
            arguments = self._arguments()
            return _has(arguments) if name == "has" else _called(name, arguments)
        return lambda look: _found(look(name.encode()), name)

    def _list(self) -> Node:
        items: list[Node] = []
        while self._take("]") is None:
            if items:
                self._need(",")
            items.append(self.conditional())
        return lambda look: [item(look) for item in items]


def _constant(value: Any) -> Node:
    return lambda _: value


def _number(text: str) -> int:
    return int(text, 16) if text.startswith("0x") else int(text)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text[1:-1])


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Failed("not a truth value")
    return value


def _found(value: Any, name: str) -> Any:
    if value is None:
        raise Failed(f"no {name}")
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _select(node: Node, name: str) -> Node:
    return lambda look: _found(values.inside(node(look), name.encode()), name)


def _index(node: Node, key: Node) -> Node:
    def get(look: Lookup) -> Any:
        group, at = node(look), key(look)
        return (
            group[at] if isinstance(group, list) else _found(values.inside(group, str(at).encode()), str(at))
        )

    return get


def _has(arguments: list[Node]) -> Node:
    def has(look: Lookup) -> bool:
        try:
            arguments[0](look)
        except Failed:
            return False
        return True

    return has


def _called(name: str, arguments: list[Node]) -> Node:
    function = _FUNCTIONS.get(name)
    if function is None:
        raise Unreadable(f"no function {name!r}")
    return lambda look: function(*(argument(look) for argument in arguments))


def _logical(left: Node, right: Node, *, decisive: bool) -> Node:
    """Either side decides, even where the other has no value."""

    def decide(look: Lookup) -> bool:
        try:
            first = _truth(left(look))
        except Failed:
            if _truth(right(look)) is decisive:
                return decisive
            raise
        return first if first is decisive else _truth(right(look))

    return decide


def _binary(sign: str, operate: Callable[[Any, Any], Any], sides: tuple[Node, Node]) -> Node:
    def apply(look: Lookup) -> Any:
        left, right = sides[0](look), sides[1](look)
        if sign not in _ANY and type(left) is not type(right):
            raise Failed("types differ")
        if sign not in _ANY and sign not in _JOINED and type(left) not in (int, float):
            raise Failed("not numbers")
        return operate(left, right)

    return apply


_READ: Final[Mapping[str, Callable[[str], Any]]] = {"int": _number, "float": float, "text": _unescaped}
