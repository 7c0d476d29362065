"""The JSON of a report is what its committed schema says, and every rule is in the catalogue."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

from autowasm.abi import catalogue, check, outcome, remedies, schema
from autowasm.wasmc import sarif
from harness.samples import Samples

ROOT = Path(__file__).parents[3]
SAMPLES = Samples(ROOT / "wasm_samples")
EXPECTED = tomllib.loads((ROOT / "wasm_samples/samples.toml").read_text("utf-8"))
WAT = sorted(name for name in EXPECTED if name.startswith(("good/", "bad/")))
BUDGET = outcome.Budget(fuel=1_000_000)


def test_schema_is_generated() -> None:
    """The committed schema is what the program prints."""
    committed = (ROOT / "autowasm/abi/report.schema.json").read_text("utf-8")
    assert json.loads(committed) == schema.schema()


@pytest.mark.parametrize("name", WAT)
def test_reports_fit(name: str) -> None:
    """The report about any sample fits the schema, names known rules, and is the same in SARIF."""
    report = check.check(SAMPLES.module(name), check.Configuration(), budget=BUDGET)
    shape = json.loads(json.dumps(report.to_json("f.wasm")))
    jsonschema.validate(shape, schema.schema())
    assert {finding["rule"] for finding in shape["findings"]} <= set(catalogue.RULES)
    (run,) = sarif.render(report, "f.wasm", "1")["runs"]
    assert [result["ruleId"] for result in run["results"]] == [f["rule"] for f in shape["findings"]]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_rules_of_the_code_are_in_the_catalogue() -> None:
    """No rule is named in the code that the catalogue does not explain."""
    slug = re.compile(r'(?:Finding|Fault|End|_finding|_missing)\(\s*"([a-z-]+)"')
    texts = [file.read_text("utf-8") for file in (ROOT / "autowasm/abi").glob("*.py")]
    named = {rule for text in texts for rule in slug.findall(text)}
    assert len(named) > 15
    assert named <= set(catalogue.RULES)


def test_remedies_are_of_rules() -> None:
    """A remedy is for a rule, or for a group of rules that shares it."""
    assert remedies.rules() <= set(catalogue.RULES) | {"restricted-call"}
