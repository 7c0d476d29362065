"""What the simulated mesh makes of the fields of an AutoWasm."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.mesh import ObjectRef, PushWish, Refused, RequestWish
from harness.meshes.sim import Sim
from harness.samples import Samples

SAMPLES = Samples(Path(__file__).parents[3] / "wasm_samples")
IMAGE = "registry.localhost:5000/filters/a:v1"


def _aw(name: str = "a", namespace: str = "default", spec: dict | None = None, **filter_: object) -> dict:
    return {
        "apiVersion": "wasm.tcm.io/v1alpha1",
        "kind": "AutoWasm",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "filter": {"source": {"registry": {"image": IMAGE}}, **filter_},
            "selector": {"matchLabels": {"app": "details"}},
            **(spec or {}),
        },
    }


def _mesh(sample: str, *objects: dict) -> Sim:
    mesh = Sim()
    mesh.push(PushWish(SAMPLES.module(sample), IMAGE))
    for obj in objects:
        mesh.apply(obj)
    return mesh


def _get(mesh: Sim, **headers: str):
    sent = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return mesh.request(RequestWish(to="details", port=9080, path="/details/7", headers=sent))


@pytest.mark.parametrize(
    ("value", "text"), [({"b": 1, "a": [None]}, '{"a":[null],"b":1}'), ("text", '"text"'), ([], "[]")]
)
def test_plugin_configuration(value, text):
    """A configuration is JSON text with sorted keys, as the controller writes it."""
    mesh = _mesh("good/config-reader", _aw(pluginConfig=value))
    assert _get(mesh).values("x-config") == (text,)


def test_environment():
    """Environment variables are there."""
    mesh = _mesh("good/env-reader", _aw(env=[{"name": "A", "value": "b"}]))
    assert _get(mesh).values("x-environment") == ("A=b",)


@pytest.mark.parametrize(("policy", "status"), [("FailClosed", 503), ("FailOpen", 200)])
def test_failure_policy(policy, status):
    """What a request meets behind one that made the filter trap is the policy's business."""
    mesh = _mesh("good/traps-when-told", _aw(failurePolicy=policy))
    assert _get(mesh).values("x-filter") == ("works",)
    _get(mesh, x_trap="yes")
    assert _get(mesh).status == status


@pytest.mark.parametrize(
    ("first", "second"),
    [({"priority": 1}, {"priority": 2}), ({}, {"phase": "stats"}), ({"phase": "authz"}, {"phase": "authn"})],
)
def test_order(first, second):
    """The greater priority, or the earlier phase, is met first, whichever was there first."""
    aws = [_aw(name, pluginConfig=name, **more) for name, more in (("a", first), ("b", second))]
    # Answers pass the filters the other way round.
    assert _get(_mesh("good/config-reader", *aws)).values("x-config") == ('"a"', '"b"')


def test_root_namespace():
    """The root namespace reaches all others, and they only themselves."""
    assert _get(_mesh("good/hello-v1", _aw(namespace="istio-system"))).values("hello") == ("world",)
    assert _get(_mesh("good/hello-v1", _aw(namespace="other"))).values("hello") == ()


def test_a_suspended_one_is_left_as_it_is():
    """An edit under suspension changes nothing, and the status says why."""
    mesh = _mesh("good/config-reader", _aw(pluginConfig=1), _aw(pluginConfig=2, spec={"suspend": True}))
    assert _get(mesh).values("x-config") == ("1",)
    found = mesh.get(ObjectRef("wasm.tcm.io/v1alpha1", "AutoWasm", "default", "a"))
    assert found is not None
    assert found["status"]["phase"] == "Synced"
    assert found["status"]["conditions"][-1]["type"] == "Suspended"


def test_what_is_not_simulated_is_refused():
    """Other contexts are said not to be there."""
    with pytest.raises(Refused, match="outbound"):
        _mesh("good/hello-v1", _aw(context="outbound"))
