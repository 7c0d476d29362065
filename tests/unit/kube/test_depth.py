"""JSON of any depth is cut to what can be read, and all else stays byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm.kube import depth

TEXT = st.text(alphabet='[]{}"\\,:ab\n\u00e9', max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=20,
)


def _cut(value: Any, levels: int) -> Any:
    if isinstance(value, list | dict) and levels == 0:
        return None
    if isinstance(value, list):
        return [_cut(item, levels - 1) for item in value]
    if isinstance(value, dict):
        return {key: _cut(item, levels - 1) for key, item in value.items()}
    return value


@given(value=JSON, levels=st.integers(0, 5), indent=st.sampled_from([None, 1]))
def test_what_lies_deeper_is_null(value, levels, indent):
    """Lists and objects below the levels are null, whatever brackets and quotes stand in strings."""
    text = json.dumps(value, indent=indent, ensure_ascii=False).encode()
    assert json.loads(depth.cut(text, levels)) == _cut(value, levels)


@pytest.mark.parametrize("text", [b"[{}]", b'{"a":[]}', b"[[]]", b'[{"a":[{}]}]'])
def test_levels_of_both_kinds_count(text):
    """A list in an object is as deep as a list in a list, also where it is empty."""
    assert json.loads(depth.cut(text, 1)) == _cut(json.loads(text), 1)


@given(value=JSON)
def test_ordinary_documents_stay(value):
    """A document of ordinary depth is the very same."""
    text = json.dumps(value).encode()
    assert depth.cut(text) is text


@pytest.mark.parametrize("shape", [(b"[", b"]"), (b'{"a":', b"}"), (b'["]",', b',"["]')])
def test_bottomless(shape):
    """Ten thousand levels are read, also where strings seem to close what is open."""
    text = shape[0] * 10_000 + b"1" + shape[1] * 10_000
    json.loads(depth.cut(text))


@given(st.binary(max_size=60))
def test_any_bytes(text):
    """Bytes that are no JSON are let through or cut; nothing breaks."""
    depth.cut(text, 1)
