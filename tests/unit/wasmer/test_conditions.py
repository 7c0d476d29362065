"""Parts of a thing, and the copy that the caller has already."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm.wasmer.http import conditions

TAG = '"abc"'


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("bytes=0-9", (0, 10)),
        ("bytes=5-", (5, 95)),
        ("bytes=-5", (95, 5)),
        ("bytes=-500", (0, 100)),
        ("bytes=90-500", (90, 10)),
        ("bytes=99-99", (99, 1)),
        ("bytes=9-5", None),  # no range at all: ignored (RFC 9110, section 14.1.1)
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("lines=0-1", None),
        ("bytes=x-y", None),
    ],
)
def test_span(value, found):
    """A range is the first byte and the number of bytes; what is not understood is all of it."""
    assert conditions.span({"range": value}, TAG, 100) == found


@pytest.mark.parametrize("value", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_unsatisfiable(value):
    """A range without a single byte is said to be none."""
    with pytest.raises(conditions.Unsatisfiable):
        conditions.span({"range": value}, TAG, 100)


def test_range_of_another_version():
    """A range of what the caller took before is only given of the same thing."""
    assert conditions.span({"range": "bytes=0-1", "if-range": TAG}, TAG, 9) == (0, 2)
    assert conditions.span({"range": "bytes=0-1", "if-range": '"other"'}, TAG, 9) is None


@given(st.text(max_size=30), st.integers(0, 50))
def test_any_range(value, size):
    """Whatever is asked, a part lies within the thing."""
    try:
        found = conditions.span({"range": f"bytes={value}"}, TAG, size)
    except conditions.Unsatisfiable:
        return
    if found:
        assert 0 <= found[0] < size
        assert 0 < found[1] <= size - found[0]


@pytest.mark.parametrize(
    ("value", "same"),
    [(TAG, True), (f'"x", W/{TAG}', True), ("*", True), ('"x"', False), ("abc", False), ("", False)],
)
def test_known(value, same):
    """The caller has it where one of its tags is ours."""
    assert conditions.matches({"if-none-match": value}, TAG) is same


def test_nothing_known():
    """Who says nothing has nothing."""
    assert not conditions.matches({}, TAG)
