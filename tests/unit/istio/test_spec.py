"""AutoWasm objects: what parses, and that everything wrong is said at once."""

import datetime as dt
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from autowasm.digest import Digest
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


def test_further_values():
    """Every further field of an object arrives in its value."""
    found = spec.parse(yaml.safe_load((CASES / "good" / "further-fields.yaml").read_text()))
    assert found.filter == spec.Filter(
        (),
        "",
        "",
        spec.RegistrySource("a/b"),
        plugin_config='{"empty":{},"rules":[{"allow":true,"path":"/a"},null,1.5,"é"]}',
        failure_policy="FailReload",
        phase="authz",
        priority=-(2**31),
        context="gateway",
        env=(("_A1", ""), ("LEVEL", ""), ("level", "a=b c")),
    )
    assert found.sha256 == Digest("750d63889653e7117fcbc0831f10f0e1d3f7ec0c82fe5787b71d08a783e3393f")
    assert (found.pull_policy, found.resync_seconds, found.suspend) == ("Always", 7 * 24 * 3600, True)


@pytest.mark.parametrize(
    ("value", "text"),
    [("5", '"5"'), (5, "5"), (5.0, "5"), (True, "true"), ([], "[]"), ({}, "{}"), (0, "0"), (None, "")],
)
def test_plugin_config(value, text):
    """A configuration of any kind is JSON text, and only null is none."""
    obj = json.loads(json.dumps(GOOD))
    obj["spec"]["filter"]["pluginConfig"] = value
    assert spec.parse(obj).filter.plugin_config == text


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (float("nan"), "must be representable as JSON: out of range float values are not json compliant"),
        ({1: 2}, "must be representable as JSON: keys must be strings, found 1"),
        (dt.date(2026, 1, 1), "must be representable as JSON: object of type date is not json"),
        ("\ud800", "must be representable as JSON: 'utf-8' codec can't encode"),
        (json.loads("[" * 66 + "]" * 66), "must be nested at most 64 levels deep"),
        ("x" * 131071, "must have at most 262144 bytes, found 262146: one copy a port"),
    ],
)
def test_bad_plugin_config(value, says):
    """What is no JSON, as YAML can hold it, and what an EnvoyFilter has no room for, is a fault."""
    obj = json.loads(json.dumps(GOOD))
    obj["spec"]["filter"] |= {"pluginConfig": value, "applyPorts": [80, 81]}
    with pytest.raises(spec.SpecError) as caught:
        spec.parse(obj)
    (fault,) = caught.value.faults
    assert fault.path == "spec.filter.pluginConfig"
    assert fault.message.startswith(says)


def test_blank_is_absent():
    """Optional fields that are left blank read as if they were not there, the namespace as kubectl has it."""
    blank = yaml.safe_load((CASES / "good" / "blank-options.yaml").read_text())
    assert spec.parse(blank) == spec.parse(GOOD)
    assert spec.parse(blank).namespace == "default"
    blank = yaml.safe_load((CASES / "good" / "blank-further-fields.yaml").read_text())
    assert spec.parse(blank) == spec.parse(GOOD)


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
    ("spec", "filter", "context"),
    ("spec", "filter", "env"),
    ("spec", "filter", "pluginConfig"),
    ("spec", "filter", "priority"),
    ("spec", "filter", "source"),
    ("spec", "filter", "source", "sha256"),
    ("spec", "resyncInterval"),
    ("spec", "suspend"),
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
