"""SARIF: levels, places and words as its readers expect them."""

from __future__ import annotations

import os
import re
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm.abi.findings import Finding, Report
from autowasm.digest import Digest
from autowasm.wasmc import sarif

FOUND = (
    Finding("missing-import", "error", "import a.b: no", "import a.b, offset 29", "Failed", "Do it."),
    Finding("debug-info", "info", "much", ""),
)
REPORT = Report(Digest.of(b""), 40, None, None, "1.40", FOUND)


def test_results() -> None:
    """An error has its byte offset and all its words, an info is a note on the whole file."""
    log = sarif.render(REPORT, "f.wasm", "0.1")
    (run,) = log["runs"]
    error, note = run["results"]
    assert (error["level"], note["level"]) == ("error", "note")
    assert error["message"]["text"] == "import a.b: no\nEnvoy says: Failed\nDo it."
    place = error["locations"][0]
    assert place["physicalLocation"]["region"] == {"byteOffset": 29, "byteLength": 0}
    assert place["logicalLocations"] == [{"fullyQualifiedName": "import a.b, offset 29"}]
    assert "region" not in note["locations"][0]["physicalLocation"]
    assert run["artifacts"][0]["hashes"]["sha-256"] == Digest.of(b"").hex
    assert (log["version"], run["tool"]["driver"]["version"]) == ("2.1.0", "0.1")


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("filters/my filter.wasm", "filters/my%20filter.wasm"),
        ("a:b.wasm", "./a:b.wasm"),
        ("127.0.0.1:5000/team/hello:v1", "./127.0.0.1:5000/team/hello:v1"),
        ("https://r.io/my%20f.wasm?v=1#é", "https://r.io/my%20f.wasm?v=1#%C3%A9"),
        ("\udcff.wasm", "%FF.wasm"),
    ],
)
def test_names_are_uris(name: str, uri: str) -> None:
    """What was checked is named by a URI wherever it is named."""
    (run,) = sarif.render(REPORT, name, "0.1")["runs"]
    places = [result["locations"][0]["physicalLocation"]["artifactLocation"] for result in run["results"]]
    assert [run["artifacts"][0]["location"]["uri"], *(place["uri"] for place in places)] == [uri] * 3


@given(st.binary(max_size=30).map(os.fsdecode) | st.from_regex(r"[a-z]*:/?[^/]*", fullmatch=True))
def test_any_name_is_a_uri(name: str) -> None:
    """Whatever a file is called, it is named by characters of a URI, which say the name and nothing else."""
    uri = sarif.render(REPORT, name, "0.1")["runs"][0]["artifacts"][0]["location"]["uri"]
    assert re.fullmatch(r"([A-Za-z0-9._~/:@!$&'()*+,;=-]|%[0-9A-F]{2})*", uri)
    said = os.fsdecode(urllib.parse.unquote_to_bytes(uri))
    assert said in (name, f"./{name}")
