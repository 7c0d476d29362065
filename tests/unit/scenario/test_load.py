"""Scenario files: good ones load, bad ones tell all that is wrong, and nothing else ever comes out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import verbs
from harness.scenario import load
from harness.scenario.faults import BadFile

ROOT = Path(__file__).parents[3]
CASES = ROOT / "tests" / "cases" / "scenarios"
GOOD = sorted((CASES / "good").glob("*.yaml")) + sorted((ROOT / "scenarios").rglob("*.yaml"))
BAD = sorted((CASES / "bad").glob("*.yaml"))
LOADER = load.Loader(verbs.TABLE)


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_good_files_load(file):
    """A good file gives a scenario with as many steps as it has, each with its position."""
    scenario = LOADER.load(file.read_bytes(), file.name)
    assert scenario.steps
    assert all(step.where.startswith(f"{file.name}:") for step in scenario.steps)


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_bad_files_tell_every_fault(file):
    """The faults of a bad file are those of its golden file; UPDATE_CASES=1 rewrites that, to be reviewed."""
    with pytest.raises(BadFile) as caught:
        LOADER.load(file.read_bytes(), file.name)
    told = "".join(f"{fault}\n" for fault in caught.value.faults)
    golden = file.with_suffix(".txt")
    if os.environ.get("UPDATE_CASES"):
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")


def test_a_scenario_requires_what_its_verbs_need():
    """Who writes a load step need not say that the mesh must be able to bear load."""
    scenario = LOADER.load((CASES / "good" / "all-verbs.yaml").read_bytes(), "x.yaml")
    assert scenario.requires == {"istio", "traffic", "load", "pods", "helm", "faults", "replicas"}


def test_what_looks_like_a_date_or_a_boolean_stays_text():
    """YAML 1.1's surprises do not happen: no is a word, a date is text."""
    scenario = LOADER.load((CASES / "good" / "looks-like-a-date.yaml").read_bytes(), "x.yaml")
    assert scenario.labels == {"since": "2021-10-27"}
    assert scenario.steps[0].args["to"] == "no"


def test_aliases_cannot_multiply_without_end():
    """A file of a few lines whose aliases stand for millions of values is refused quickly."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(BadFile, match="too many values"):
        LOADER.load("\n".join(lines).encode(), "x.yaml")


@pytest.mark.parametrize("data", [b"[" * 5000, b"a: " + b"{a: " * 3000], ids=["lists", "mappings"])
def test_deep_files_are_refused(data):
    """Nesting without end is a fault of the file and no crash."""
    with pytest.raises(BadFile):
        LOADER.load(data, "x.yaml")


def test_files_without_end_are_refused():
    """More than a mebibyte is not read."""
    with pytest.raises(BadFile, match="at most 1048576"):
        LOADER.load(b"#" * (1024 * 1024 + 1), "x.yaml")


def load_or_fault(data: bytes) -> None:
    """Load, and hold the loader to its two ways out."""
    try:
        steps, faults = LOADER.load(data, "x.yaml").steps, ()
    except BadFile as bad:
        steps, faults = (), bad.faults
    assert bool(steps) != bool(faults)
    assert all(fault.line >= 1 and fault.column >= 1 for fault in faults)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_scenario_or_faults(data):
    """Whatever the bytes are, the only error is BadFile with positions."""
    load_or_fault(data)


@given(st.text(alphabet=":-{}[]&*!|>'\"%@,?#\n \tab01.~<$\\", max_size=80))
def test_any_text_of_yaml_signs_gives_a_scenario_or_faults(text):
    """The same for texts made of the signs that YAML cares about."""
    load_or_fault(text.encode())


SOURCES = [file.read_bytes() for file in GOOD]


@settings(max_examples=200)
@given(st.data())
def test_damaged_good_files_give_a_scenario_or_faults(data):
    """The same for good files with a part cut out and something else put in."""
    source = data.draw(st.sampled_from(SOURCES))
    start = data.draw(st.integers(0, len(source)))
    end = data.draw(st.integers(start, min(len(source), start + 40)))
    load_or_fault(source[:start] + data.draw(st.binary(max_size=8)) + source[end:])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "x", "${v1}", "1s", "${", "9080"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "matches", "name"]), inner)
    ),
    max_leaves=5,
)


@given(st.sampled_from(list(verbs.TABLE)), st.data())
def test_any_arguments_of_a_verb_give_a_scenario_or_faults(verb, data):
    """The same for verbs whose arguments have the right names and any values at all."""
    import json

    keys = verbs.TABLE[verb].params.keys()
    args = data.draw(st.dictionaries(st.sampled_from(keys), VALUES))
    step = {verb: args, "as": data.draw(VALUES)} if data.draw(st.booleans()) else {verb: args}
    load_or_fault(json.dumps({"name": "x", "claim": "It does.", "steps": [step, step]}).encode())
