"""AutoWasm objects: what parses, and that everything wrong is said at once."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from autowasm.istio import reading, spec

CASES = Path(__file__).parents[2] / "cases" / "specs"
GOOD = {
    "metadata": {"name": "test"},
    "spec": {
        "filter": {"source": {"registry": {"image": "a/b"}}},
        "selector": {"matchLabels": {"app": "details"}},
    },
}


def _faults(path):
    lines = path.read_text().splitlines()
    return [line.removeprefix("# fault: ") for line in lines if line.startswith("# fault: ")]


@pytest.mark.parametrize("path", sorted(CASES.glob("bad/*.yaml")), ids=lambda path: path.stem)
def test_bad(path):
    """A bad object is refused with exactly the faults that its file lists, in any order."""
    with pytest.raises(spec.SpecError) as caught:
        spec.parse(yaml.safe_load(path.read_text()))
    assert sorted(str(fault) for fault in caught.value.faults) == sorted(_faults(path))


@pytest.mark.parametrize("path", sorted(CASES.glob("good/*.yaml")), ids=lambda path: path.stem)
def test_good(path):
    """A good object parses."""
    assert spec.parse(yaml.safe_load(path.read_text())).name


def test_values():
    """Every field of an object arrives in its value."""
    obj = {
        "apiVersion": "wasm.tcm.io/v1alpha1",
        "kind": "AutoWasm",
        "metadata": {"name": "test", "namespace": "shop", "uid": "u", "generation": 4, "labels": {"a": "b"}},
        "spec": {
            "filter": {
                "applyPorts": [9090, 80],
                "rootID": "root",
                "vmID": "vm",
                "source": {"object": {"url": "https://example.com/f.wasm"}},
            },
            "secret": "pull",
            "selector": {"matchLabels": {"app": "details"}},
        },
        "status": {"phase": "Synced"},
    }
    source = spec.ObjectSource("https://example.com/f.wasm")
    assert spec.parse(obj) == spec.Spec(
        "test", "shop", "u", 4, spec.Filter((9090, 80), "root", "vm", source), "pull", {"app": "details"}
    )


def test_blank_is_absent():
    """Optional fields that are left blank read as if they were not there, the namespace as kubectl has it."""
    blank = yaml.safe_load((CASES / "good" / "blank-options.yaml").read_text())
    assert spec.parse(blank) == spec.parse(GOOD)
    assert spec.parse(blank).namespace == "default"


def test_error_is_final_and_names_all():
    """The error itself, as a condition shows it, holds each fault."""
    with pytest.raises(spec.SpecError) as caught:
        spec.parse({"metadata": {"name": "x"}})
    assert (caught.value.reason, caught.value.side) == ("InvalidSpec", "spec")
    assert "spec: is required" in caught.value.message


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_PATHS = (
    (),
    ("metadata",),
    ("metadata", "name"),
    ("spec",),
    ("spec", "filter"),
    ("spec", "filter", "applyPorts"),
    ("spec", "filter", "source"),
    ("spec", "filter", "source", "registry"),
    ("spec", "selector"),
    ("spec", "selector", "matchLabels"),
)


@given(st.sampled_from(_PATHS), _JSON)
def test_anything_parses_or_is_a_spec_error(path, value):
    """Whatever stands in any place, parsing ends with a value or with faults, with nothing else."""
    obj = json.loads(json.dumps(GOOD))
    node = obj
    for key in path[:-1]:
        node = node[key]
    if path:
        node[path[-1]] = value
    else:
        obj = value if isinstance(value, dict) else {"spec": value}
    try:
        spec.parse(obj)
    except spec.SpecError as error:
        assert error.faults  # noqa: PT017


@given(st.lists(st.integers(-5, 70000), max_size=5))
def test_ports(ports):
    """Ports are taken exactly when each is in range and given once."""
    obj = json.loads(json.dumps(GOOD))
    obj["spec"]["filter"]["applyPorts"] = ports
    fine = all(1 <= port <= 65535 for port in ports) and len(set(ports)) == len(ports)
    try:
        assert spec.parse(obj).filter.apply_ports == tuple(ports)
        assert fine
    except spec.SpecError:
        assert not fine


@pytest.mark.parametrize("text", ["a\n", "é", "A" * 254, ""])
def test_names_are_judged_whole(text):
    """A final line feed, other scripts and excess length are seen, as the API server sees them."""
    assert reading.judge(text, reading.SUBDOMAIN)
