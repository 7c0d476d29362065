"""The samples that compilers make are what filters.toml says of them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from autowasm.abi import check
from harness.samples import NoCompiler, Samples

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parents[2] / "wasm_samples"
SAMPLES = Samples(ROOT)
ENTRIES = tomllib.loads((ROOT / "filters.toml").read_text("utf-8"))


@pytest.mark.parametrize("name", SAMPLES.compiled())
def test_a_filter_is_as_described(name: str) -> None:
    """Its ABI is the one named, it passes the check with its configuration, and the findings are those listed."""
    entry = ENTRIES[name]
    try:
        module = SAMPLES.module(name)
    except NoCompiler as reason:
        pytest.skip(str(reason))
    configuration = check.Configuration(
        plugin=entry.get("plugin", "").encode(), root_id=entry.get("root_id", "")
    )
    report = check.check(module, configuration)
    assert report.abi == entry["abi"]
    assert {found.rule: found.level for found in report.findings if found.level != "info"} == entry[
        "findings"
    ]
    assert report.ok
