"""``${...}`` in texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scenario import bindings

VALUES = {"registry": "r:5000", "v1": {"digest": "sha256:1", "tags": ["a", "b"], "size": 7}}
FILLED = [
    ("plain", "plain"),
    ("${registry}/x:v1", "r:5000/x:v1"),
    ("${v1.digest}", "sha256:1"),
    ("${v1.size}", 7),
    ("size ${v1.size}", "size 7"),
    ("${v1.tags.1}", "b"),
    ("${v1.tags}", ["a", "b"]),
    ("all ${v1.tags}", 'all ["a","b"]'),
    ("$${registry}", "${registry}"),
    ("$registry {x} $", "$registry {x} $"),
    ({"a": ["${registry}", 1, None]}, {"a": ["r:5000", 1, None]}),
]


@pytest.mark.parametrize(("data", "filled"), FILLED, ids=[str(case[0]) for case in FILLED])
def test_bindings_are_filled_in(data, filled):
    """A whole text becomes the value itself, a part of a text is written out, $${ is a plain ${."""
    assert bindings.fill(data, VALUES) == filled


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("${registy}", "binding ${registy}: nothing is named 'registy' (did you mean \"registry\"?)"),
        ("${v1.digst}", "binding ${v1.digst}: nothing is named 'digst' (did you mean \"digest\"?)"),
        ("${v1.tags.9}", "binding ${v1.tags.9}: nothing is named '9'"),
        ("${}", "binding ${}: nothing is named '' (known: registry, v1)"),
    ],
)
def test_what_is_not_bound_is_told_with_what_is_near(text, told):
    """An unknown name or field says so, with the nearest known one."""
    with pytest.raises(bindings.Unbound) as caught:
        bindings.fill(text, VALUES)
    assert str(caught.value) == told


@given(st.text())
def test_a_text_without_bindings_stays_as_it_is(text):
    """Filling changes nothing but bindings and their escape."""
    if "${" not in text:
        assert bindings.fill(text, {}) == text


@given(st.text())
def test_an_escaped_text_comes_back(text):
    """Writing $${ for each ${ brings any text through."""
    assert bindings.fill(text.replace("${", "$${"), {}) == text or "$${" in text


def test_uses_tell_where_bindings_stand():
    """Every binding is found with the path of its text."""
    data = {"a": ["x", "${one} and ${two.three}"], "b": {"c": "$${four}"}}
    assert list(bindings.uses(data)) == [(("a", 1), "one"), (("a", 1), "two.three")]
