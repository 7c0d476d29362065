"""Which AutoWasms share a check."""

from __future__ import annotations

from typing import Any

from autowasm.controller import checks
from autowasm.digest import Digest
from autowasm.istio import spec as specs

_DIGEST = Digest("a" * 64)


def _configuration(name: str, **fields: Any) -> checks.Configuration:
    source = {"registry": {"image": "registry.example.com/filter:v1"}}
    spec = {"filter": {"source": source, **fields}, "selector": {"matchLabels": {"app": name}}}
    return checks.configuration(specs.parse({"metadata": {"name": name}, "spec": spec}), _DIGEST)


def test_a_generated_vm_id_makes_no_difference():
    """Two AutoWasms that differ in their names alone are checked once."""
    assert _configuration("one") == _configuration("two")


def test_what_a_module_may_depend_on_makes_one():
    """A vmID that the user gave, a root ID, a configuration and an environment are each part of the check."""
    found = [
        _configuration("one"),
        _configuration("one", vmID="mine"),
        _configuration("one", rootID="mine"),
        _configuration("one", pluginConfig={"a": 1}),
        _configuration("one", env=[{"name": "A", "value": "1"}]),
    ]
    assert len(set(found)) == len(found)
