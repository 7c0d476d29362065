"""SARIF: levels, places and words as its readers expect them."""

from __future__ import annotations

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
