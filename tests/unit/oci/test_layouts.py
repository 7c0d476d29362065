"""Manifests and layouts: which layer holds the module, one file a case; hostile documents are refused."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm import errors, limits
from autowasm.digest import Digest
from autowasm.oci import layouts, manifest

CASES = Path(__file__).parents[2] / "cases" / "layouts"


def _cases(folder: str) -> list:
    files = sorted((CASES / folder).glob("*.json"))
    assert files
    return [pytest.param(json.loads(file.read_text()), id=file.stem) for file in files]


@pytest.mark.parametrize("case", _cases("good"))
def test_good(case):
    """The layer that each tool puts a module into is found, under the layout's name."""
    document = manifest.parse(json.dumps(case["manifest"]).encode(), case["content_type"])
    assert isinstance(document, manifest.Manifest)
    found = layouts.choose(document)
    assert found.layout == case["layout"]
    assert found.layer is document.layers[case["layer"]]


@pytest.mark.parametrize("case", _cases("bad"))
def test_bad(case):
    """A manifest that holds no module, or is none, is refused by reason with what was found."""
    document = case["manifest"]
    if "repeat_layer" in case:
        layer, times = case["repeat_layer"]
        document["layers"] = [layer] * times
    with pytest.raises(errors.Final) as caught:
        layouts.choose(manifest.parse(json.dumps(document).encode()))
    assert caught.value.reason == case["reason"]
    assert case["error"] in caught.value.message


def test_every_layout_has_a_case():
    """Each row of the table is shown by a file."""
    shown = {case.values[0]["layout"] for case in _cases("good")}
    assert shown == {layout.name for layout in layouts.TABLE}


def _entry(os: str, architecture: str, media_type: str = manifest.OCI_MANIFEST) -> dict:
    digest = str(Digest.of(f"{os}/{architecture}".encode()))
    platform = {"os": os, "architecture": architecture}
    return {"mediaType": media_type, "digest": digest, "size": 1, "platform": platform}


def test_candidates():
    """Of an index, wasm comes first, then linux/amd64, nested indexes last; attestations are left out."""
    entries = [
        _entry("linux", "arm64"),
        _entry("linux", "amd64"),
        _entry("unknown", "unknown"),
        _entry("linux", "nested", manifest.OCI_INDEX),
        _entry("wasip1", "wasm"),
    ]
    index = manifest.parse(json.dumps({"schemaVersion": 2, "manifests": entries}).encode())
    assert isinstance(index, manifest.Index)
    order = [(item.os, item.architecture) for item in layouts.candidates(index)]
    assert order == [("wasip1", "wasm"), ("linux", "amd64"), ("linux", "arm64"), ("linux", "nested")]


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe", b"[" * 100_000, b'{"schemaVersion":' + b"9" * 10_000 + b"}", b"{" * 1000, b"null"],
    ids=["empty", "no text", "deep", "huge number", "open", "null"],
)
def test_no_manifest(data):
    """Bytes that are no manifest are a bad manifest, however they try to hurt the parser."""
    with pytest.raises(errors.Final) as caught:
        manifest.parse(data)
    assert caught.value.reason == "BadManifest"
    assert len(caught.value.message) < 300


def test_endless_manifest():
    """A manifest beyond the cap is refused before it is parsed."""
    with pytest.raises(errors.Final) as caught:
        manifest.parse(b" " * (limits.MANIFEST_BYTES + 1))
    assert caught.value.reason == "TooLarge"


@pytest.mark.parametrize("filler", [b"[],", b"{},", b'"":0,', b"0,"])
def test_manifest_of_crumbs(filler):
    """A manifest within the cap whose every byte would cost a hundred is refused before it is parsed."""
    data = b'{"schemaVersion":2,"x":[' + filler * (limits.MANIFEST_BYTES // len(filler) - 20) + b"0]}"
    tracemalloc.start()
    try:
        with pytest.raises(errors.Final) as caught:
            manifest.parse(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.reason == "TooLarge"
    assert peak < limits.MIB


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_KEYS = st.sampled_from(
    ["mediaType", "digest", "size", "platform", "annotations", "config", "layers", "manifests"]
)
_VALUES = st.one_of(
    _JSON,
    st.sampled_from([manifest.OCI_MANIFEST, manifest.OCI_INDEX, layouts.OCI_TAR_GZIP, str(Digest.of(b""))]),
    st.lists(st.dictionaries(_KEYS, _JSON, max_size=5), max_size=3),
)


@given(st.dictionaries(_KEYS, _VALUES), st.text(max_size=20))
def test_fuzz(members, content_type):
    """Any document gives a layer, an index, or one of our errors with a message of one bounded line."""
    error = _fault(json.dumps({"schemaVersion": 2, **members}).encode(), content_type)
    if error is not None:
        assert error.reason in {"BadManifest", "NoModule"}
        assert error.message.isprintable()
        assert len(error.message) < 1500


def _fault(data: bytes, content_type: str) -> errors.Final | None:
    try:
        document = manifest.parse(data, content_type)
        if isinstance(document, manifest.Manifest):
            layouts.choose(document)
        else:
            layouts.candidates(document)
    except errors.Final as error:
        return error
    return None
