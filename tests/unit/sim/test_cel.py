"""Expressions are worth what a real Envoy's are; any text is one or none, and ends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sim import cel
from harness.sim.maps import HeaderMap, Kind

HEADERS = HeaderMap(Kind.REQUEST, [(b"x-a", b"1")])
WORLD: dict[bytes, Any] = {b"request": {"path": b"/a", "method": b"GET", "size": 0, "headers": HEADERS}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("request.path == '/a'", True),
        ("request.headers['x-a']", "1"),
        ("has(request.headers.nope)", False),
        ("'x-a' in request.headers", True),
        ("request.method == 'GET' && request.size == 0", True),
        ("1 + 2 * 3", 7),
        ("7 / 2", 3),
        ("-7 % 3", -1),
        ("1 == 1.0", True),
        ("nosuch || true", True),
        ("nosuch && false", False),
        ("true ? 'y' : 'n'", "y"),
        ("request.path.startsWith('/') && request.path.matches('^/[a-z]$')", True),
        ("2 in [1, 2]", True),
        ("string(5) + 'x'", "5x"),
        ("size(request.headers)", 1),
    ],
)
def test_values(text: str, value: object) -> None:
    """An expression's value, each measured on Envoy 1.40."""
    assert cel.evaluate(cel.parse(text), WORLD.get) == value


@pytest.mark.parametrize(
    "text", ["nosuch", "request.headers['x-no']", "1/0", "1 + 1.0", "'a' * 3", "size(5)", "!1"]
)
def test_no_value(text: str) -> None:
    """What is missing, or does not fit, has no value."""
    with pytest.raises(cel.Failed):
        cel.evaluate(cel.parse(text), WORLD.get)


@pytest.mark.parametrize("text", ["", "1 +", "foo(", "(1", "a..b", "#", "(" * 5000])
def test_unreadable(text: str) -> None:
    """What is no expression is refused."""
    with pytest.raises(cel.Unreadable):
        cel.parse(text)


WORDS = """request . path headers [ ] ( ) 'x-a' 1 2.5 + - * / % == != < in && || ! ? : has size , true null"""
PIECES = st.sampled_from(WORDS.split())


@given(st.lists(PIECES, max_size=12).map(" ".join))
def test_any_text(text: str) -> None:
    """Any text is refused, has a value, or has none."""
    try:
        cel.evaluate(cel.parse(text), WORLD.get)
    except (cel.Unreadable, cel.Failed):
        return
