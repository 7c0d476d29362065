"""References: the grammar, its short forms and its refusals, one file a case."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from autowasm import errors
from autowasm.digest import Digest
from autowasm.oci.reference import Reference

CASES = Path(__file__).parents[2] / "cases" / "references"


def _cases(folder: str) -> list:
    files = sorted((CASES / folder).glob("*.yaml"))
    assert files
    return [pytest.param(yaml.safe_load(file.read_text()), id=file.stem) for file in files]


@pytest.mark.parametrize("case", _cases("good"))
def test_good(case):
    """A reference is read as Docker's tools read it, and its canonical form means the same."""
    ref = Reference.parse(case["text"])
    digest = Digest.parse(case["digest"]) if case["digest"] else None
    assert ref == Reference(case["registry"], case["repository"], case["tag"], digest)
    assert ref.plain_http is case["plain_http"]
    assert str(ref) == case["canonical"]
    assert Reference.parse(str(ref)) == ref


@pytest.mark.parametrize("case", _cases("bad"))
def test_bad(case):
    """What breaks the grammar is bad input, and the message names the rule and what was found."""
    with pytest.raises(errors.Usage) as caught:
        Reference.parse(case["text"])
    assert case["error"] in caught.value.message


def test_docker_hub_answers_elsewhere():
    """docker.io is asked at the host where its API is, every other registry at its own name."""
    assert Reference.parse("nginx").endpoint == "registry-1.docker.io"
    assert Reference.parse("ghcr.io/a/b").endpoint == "ghcr.io"


def test_pin():
    """A pinned reference names the digest and no tag, and the digest is what a registry is asked for."""
    digest = Digest.of(b"x")
    assert str(Reference.parse("ghcr.io/a/b:v1").at(digest)) == f"ghcr.io/a/b@{digest}"
    assert Reference.parse(f"ghcr.io/a/b:v1@{digest}").selector == str(digest)
    assert Reference.parse("ghcr.io/a/b:v1").selector == "v1"


_PIECES = st.sampled_from(
    ["docker://", "localhost", ".io", ":", "/", "@", "sha256:", "a" * 64, "[::1]", "é", "A"]
)


@given(st.one_of(st.text(), st.lists(_PIECES, max_size=12).map("".join)))
def test_fuzz(text):
    """Any text is a reference that reads back the same, or bad input; nothing else is raised."""
    try:
        ref = Reference.parse(text)
    except errors.Usage:
        return
    assert Reference.parse(str(ref)) == ref
    assert isinstance(ref.plain_http, bool)
