"""The simulated mesh answers its protocol: objects, statuses, requests, and honest refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.mesh import (
    FaultWish,
    HelmWish,
    LoadWish,
    Mesh,
    ObjectRef,
    PushWish,
    Refused,
    RequestWish,
    RestartWish,
)
from harness.meshes.sim import Sim
from harness.samples import Samples

SAMPLES = Samples(Path(__file__).parents[3] / "wasm_samples")
TARGET = ObjectRef("wasm.tcm.io/v1alpha1", "AutoWasm", "default", "test")
DETAILS = RequestWish("details", 9080, path="/details/7", headers=(("X-A", "1"), ("x-a", "2")))


def _autowasm(
    tag: str, ports: list[int] | None = None, labels: dict[str, str] | None = None
) -> dict[str, Any]:
    source = {"registry": {"image": f"registry.localhost:5000/filter:{tag}"}}
    return {
        "apiVersion": "wasm.tcm.io/v1alpha1",
        "kind": "AutoWasm",
        "metadata": {"name": "test"},
        "spec": {
            "filter": {"source": source} | ({"applyPorts": ports} if ports else {}),
            "selector": {"matchLabels": labels or {"app": "details"}},
        },
    }


def _mesh(*samples: tuple[str, str]) -> Mesh:
    mesh = Sim()
    for tag, name in samples:
        mesh.push(PushWish(SAMPLES.module(name), f"registry.localhost:5000/filter:{tag}"))
    return mesh


def _hello(mesh: Mesh, port: int = 9080) -> tuple[str, ...]:
    return mesh.request(RequestWish("details", port)).values("x-filter-version")


def test_application_answers() -> None:
    """The modelled application answers for its books, tells what reached it, and knows no other path."""
    response = _mesh().request(DETAILS)
    assert response.status == 200
    assert json.loads(response.body)["id"] == 7
    assert response.app is not None
    assert [h for h in response.app["headers"] if h[0] == "x-a"] == [["x-a", "1"], ["x-a", "2"]]
    assert (response.app["port"], response.app["path"]) == (9080, "/details/7")
    assert _mesh().request(RequestWish("details", 9080)).status == 404


def test_filter_applies_to_its_ports() -> None:
    """A filter works on the ports that it names, on all where it names none, for selected workloads only."""
    mesh = _mesh(("v1", "good/hello-v1"))
    mesh.apply(_autowasm("v1", [9080]))
    assert (_hello(mesh), _hello(mesh, 9081)) == (("v1",), ())
    mesh.apply(_autowasm("v1"))
    assert (_hello(mesh), _hello(mesh, 9081)) == (("v1",), ("v1",))
    mesh.apply(_autowasm("v1", labels={"app": "other"}))
    assert _hello(mesh) == ()


def test_upgrade_and_delete() -> None:
    """A new version takes over at once, and with the object the filter goes."""
    mesh = _mesh(("v1", "good/hello-v1"), ("v2", "good/hello-v2"))
    mesh.apply(_autowasm("v1"))
    mesh.apply(_autowasm("v2"))
    assert _hello(mesh) == ("v2",)
    assert mesh.delete(TARGET)
    assert _hello(mesh) == ()
    assert mesh.get(TARGET) is None
    assert not mesh.delete(TARGET)


def test_status_is_shown() -> None:
    """Status tells phase, generation and conditions; a bad module leaves the version before at work."""
    mesh = _mesh(("v1", "good/hello-v1"), ("bad", "bad/missing-import"))
    assert mesh.apply(_autowasm("v1"))["status"]["phase"] == "Synced"
    stored = mesh.apply(_autowasm("bad"))
    assert stored["status"]["phase"] == "Degraded"
    assert stored["metadata"]["generation"] == stored["status"]["observedGeneration"] == 2
    assert "missing import: env.abort" in stored["status"]["conditions"][-1]["message"]
    assert mesh.get(TARGET) == stored
    assert _hello(mesh) == ("v1",)


def test_nothing_works_at_first() -> None:
    """Without a version before, a bad or a missing module is a failure, and requests pass unfiltered."""
    mesh = _mesh(("bad", "bad/missing-import"))
    assert mesh.apply(_autowasm("bad"))["status"]["phase"] == "Failed"
    conditions = mesh.apply(_autowasm("absent"))["status"]["conditions"]
    assert [(c["type"], c["status"], c["reason"]) for c in conditions] == [("Pulled", "False", "NotFound")]
    assert mesh.request(DETAILS).status == 200


def test_module_by_digest() -> None:
    """What was pushed can be had by its digest."""
    mesh = _mesh()
    pushed = mesh.push(PushWish(SAMPLES.module("good/hello-v2"), "registry.localhost:5000/filter:v2"))
    wanted = _autowasm("v2")
    wanted["spec"]["filter"]["source"]["registry"]["image"] = (
        f"registry.localhost:5000/filter@{pushed.digest}"
    )
    assert mesh.apply(wanted)["status"]["phase"] == "Synced"


def test_refusals() -> None:
    """What is not there is refused or told, never invented."""
    mesh = _mesh()
    with pytest.raises(Refused, match=r"metadata\.name"):
        mesh.apply({"apiVersion": "v1", "kind": "Secret"})
    with pytest.raises(Refused, match="spec"):
        mesh.apply(_autowasm("v1") | {"spec": {}})
    with pytest.raises(Refused, match="no load"):
        mesh.load(LoadWish(DETAILS))
    with pytest.raises(Refused, match="no pods"):
        mesh.restart(RestartWish("details"))
    with pytest.raises(Refused, match="no release"):
        mesh.helm(HelmWish("status"))
    with pytest.raises(Refused, match="no nodes"):
        mesh.fault(FaultWish("cordon"))
    assert "refused" in mesh.request(RequestWish("details", 1)).error
    assert "details" in mesh.request(RequestWish("reviews", 9080)).error


def test_collect(tmp_path: Path) -> None:
    """Objects are written down for who looks for the reason of a failure."""
    mesh = _mesh(("v1", "good/hello-v1"))
    mesh.apply(_autowasm("v1"))
    mesh.collect(tmp_path / "artifacts")
    assert json.loads((tmp_path / "artifacts/objects.json").read_text("utf-8"))[0]["kind"] == "AutoWasm"
