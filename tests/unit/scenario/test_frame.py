"""The JSON Schema of the format."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from harness import verbs
from harness.scenario import frame

ROOT = Path(__file__).parents[3]
OWN = sorted((ROOT / "scenarios").glob("*.yaml"))
GOOD = sorted((ROOT / "tests" / "cases" / "scenarios" / "good").glob("*.yaml"))
SCHEMA = frame.schema(verbs.TABLE)
# Faults of shape, which an editor can show; the others need more than a schema knows.
SHAPE = [
    "unknown-key",
    "unknown-verb",
    "unknown-argument",
    "unknown-expectation",
    "two-verbs",
    "no-verb",
    "no-steps",
    "port-as-text",
    "port-out-of-range",
    "header-as-number",
    "bad-duration",
    "unknown-capability",
    "missing-arguments",
    "null-verb",
    "name-with-spaces",
    "object-without-kind",
    "error-as-list",
    "unknown-helm-action",
    "restart-without-workload",
    "fault-without-aim",
]


def problems(file: Path) -> list[str]:
    """What an editor would show."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return [
        error.message for error in validator.iter_errors(YAML(typ="safe", pure=True).load(file.read_text()))
    ]


def test_the_schema_is_one():
    """What is written for editors is valid JSON Schema."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "file", [file for file in OWN + GOOD if "date" not in file.stem], ids=lambda file: file.stem
)
def test_the_schema_accepts_good_files(file):
    """An editor shows no problem in a good file."""
    assert problems(file) == []


@pytest.mark.parametrize("name", SHAPE)
def test_the_schema_shows_faults_of_shape(name):
    """An editor shows a problem in a file whose shape is wrong."""
    assert problems(ROOT / "tests" / "cases" / "scenarios" / "bad" / f"{name}.yaml")


def test_the_committed_schema_is_the_generated_one():
    """`harness schema` would change nothing."""
    committed = json.loads((ROOT / "scenarios" / frame.SCHEMA_NAME).read_text(encoding="utf-8"))
    assert committed == SCHEMA


@pytest.mark.parametrize("file", OWN, ids=lambda file: file.stem)
def test_own_scenarios_name_their_schema(file):
    """Each file's first line leads editors to the schema, and its name is the file's."""
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[:2] == [f"# yaml-language-server: $schema={frame.SCHEMA_NAME}", f"name: {file.stem}"]
