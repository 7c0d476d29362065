"""Error bodies of registries: read where they are, quoted safely where they are not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm import limits
from autowasm.oci import errcode


def test_faults():
    """The codes and messages of a spec's error body come out in order."""
    body = {"errors": [{"code": "DENIED", "message": "no way", "detail": 1}, {"code": "UNKNOWN"}]}
    faults = errcode.parse(json.dumps(body).encode())
    assert [str(fault) for fault in faults] == ["DENIED: no way", "UNKNOWN"]
    assert errcode.excerpt(json.dumps(body).encode()) == "DENIED: no way; UNKNOWN"


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{}", b'{"errors": {}}', b'{"errors": [1, {"code": 2}]}', b"[" * 99_999]
)
def test_none(body):
    """What is no error body has no faults."""
    assert errcode.parse(body) == ()


def test_excerpt_is_safe():
    """A page instead of an error body is quoted by its beginning, without control sequences."""
    quoted = errcode.excerpt(b"<html>\n\n<b>502</b> \x1b[31mred" + b"x" * 10_000)
    assert quoted.startswith("<html> <b>502</b> [31mred")
    assert len(quoted) <= limits.ERROR_BODY_CHARS


@given(
    st.binary()
    | st.recursive(st.none() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)).map(
        lambda value: json.dumps({"errors": value}).encode()
    )
)
def test_fuzz(body):
    """Any body gives one printable, bounded line."""
    quoted = errcode.excerpt(body)
    assert quoted.isprintable()
    assert len(quoted) <= limits.ERROR_BODY_CHARS
