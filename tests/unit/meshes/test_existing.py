"""A cluster that the user brings: what is missing or not allowed is told before anything is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from harness import events
from harness.meshes import existing
from harness.meshes.cluster import rights
from harness.toolchain.binaries import Located, Toolchain
from harness.toolchain.lacking import Lacking
from tests.unit.meshes.cluster.world import KINDS, Server, World

WASMER = "/api/v1/namespaces/istio-system/services/wasmer"
TOOLCHAIN = Toolchain({"kubectl": Located("kubectl", Path("/bin/true"), "prebuilt")}, lambda _: None)


@pytest.fixture
def world() -> World:
    """A cluster with Istio and AutoWasm."""
    return World(objects={WASMER: {"metadata": {"name": "wasmer", "namespace": "istio-system"}}})


@pytest.fixture
def options(world: World, tmp_path: Path) -> Iterator[existing.Options]:
    """Options that lead there."""
    server = Server(world, tmp_path)
    yield existing.Options(server.kubeconfig, "registry.test/team/", "apps:1")
    server.close()


def entered(options: existing.Options, said: list[events.Event]) -> existing.Existing:
    """A mesh that says things into a list."""
    return existing.Existing(TOOLCHAIN, options, said.append)


def test_a_new_namespace_is_used_and_removed(world: World, options: existing.Options) -> None:
    """All goes into a namespace that was not there, which is told, and afterwards the cluster is as before."""
    said: list[events.Event] = []
    with entered(options, said) as (mesh,):
        namespace = mesh.bindings["namespace"]
        assert namespace.startswith("autowasm-test-")
        assert f"/api/v1/namespaces/{namespace}" in world.objects
        assert mesh.bindings["registry"] == "registry.test/team"
        assert "helm" not in mesh.capabilities
    assert list(world.objects) == [WASMER]
    assert any(isinstance(one, events.Notice) and namespace in one.message for one in said)


def test_a_given_namespace_stays_and_no_rights_beyond_it_are_asked_for(
    world: World, options: existing.Options
) -> None:
    """With --namespace nothing of the whole cluster is needed, and the namespace is neither labelled nor removed."""
    world.forbidden.add("namespaces")
    given = existing.Options(options.kubeconfig, "r.test", "apps:1", namespace="mine")
    with entered(given, []):
        assert "/api/v1/namespaces/mine" not in world.objects
    assert list(world.objects) == [WASMER]


def test_a_revision_of_istio_is_the_label(options: existing.Options) -> None:
    """A named revision injects the sidecars."""
    settings = existing.Options(options.kubeconfig, "r.test", "apps:1", revision="canary").settings()
    assert settings.namespace_labels == {"istio.io/rev": "canary"}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/apis/networking.istio.io/v1alpha3", "Istio: the kinds EnvoyFilter"),
        ("/apis/security.istio.io/v1", "Istio: the kinds PeerAuthentication"),
        ("/apis/wasm.tcm.io/v1alpha1", "AutoWasm: the kinds AutoWasm"),
    ],
)
def test_what_is_not_installed_is_named_with_its_remedy(
    world: World, options: existing.Options, path: str, words: str
) -> None:
    """A missing kind is told with what brings it, and nothing is made."""
    world.kinds = {at: kinds for at, kinds in KINDS.items() if at != path}
    with pytest.raises(Lacking, match="this cluster lacks something") as caught:
        entered(options, []).__enter__()
    assert words in str(caught.value)
    assert "install" in str(caught.value)
    assert not [asked for asked in world.asked if asked.startswith("PATCH")]


def test_a_missing_wasmer_is_named(world: World, options: existing.Options) -> None:
    """Without the Service no filter could reach a sidecar."""
    world.objects.clear()
    with pytest.raises(Lacking, match="Service wasmer must be in namespace istio-system, is not"):
        entered(options, []).__enter__()


def test_missing_rights_are_all_named_at_once(world: World, options: existing.Options) -> None:
    """Every rule that this user lacks is told, and how to get it; nothing is made."""
    world.forbidden |= {"deployments", "namespaces"}
    with pytest.raises(Lacking) as caught:
        entered(options, []).__enter__()
    told = str(caught.value)
    assert "create, delete, get, patch deployments.apps in any namespace" in told
    assert "create, delete, get, patch namespaces in the cluster" in told
    assert "harness plan --rbac" in told
    assert not [asked for asked in world.asked if asked.startswith("PATCH")]


def test_rights_that_only_explain_failures_are_not_needed(world: World, options: existing.Options) -> None:
    """A run goes on without events and endpoints."""
    world.forbidden |= {"events", "endpointslices"}
    with entered(options, []) as (mesh,):
        assert mesh.name == "existing"


def test_a_context_that_is_not_there_is_lacking(options: existing.Options) -> None:
    """The message names the contexts and the options."""
    wrong = existing.Options(options.kubeconfig, "r.test", "apps:1", context="two")
    with pytest.raises(Lacking, match="context two: must be one of one"):
        entered(wrong, []).__enter__()


def test_what_an_earlier_run_left_is_told(world: World, options: existing.Options) -> None:
    """A namespace of ours that is there already is a warning with the line that removes it."""
    left = {"metadata": {"name": "autowasm-test-old", "labels": {}}}
    world.objects["/api/v1/namespaces/autowasm-test-old"] = left
    said: list[events.Event] = []
    with entered(options, said):
        pass
    assert any("kubectl delete namespace autowasm-test-old" in getattr(one, "message", "") for one in said)


@pytest.mark.parametrize("namespace", ["", "mine"])
def test_printed_rights_are_the_ones_that_are_asked_for(namespace: str) -> None:
    """Each verb that is asked for before a run stands in a printed rule of its scope, and no others are printed."""
    printed = set()
    for one in rights.manifests(namespace, "sys"):
        for rule in one.get("rules", ()):
            where = one["metadata"].get("namespace", "")
            printed |= {(where, rule["resources"][0], verb) for verb in rule["verbs"]}
    asked = set()
    for rule, review in rights.reviews(namespace, "sys"):
        attributes = review["spec"]["resourceAttributes"]
        asked.add((attributes["namespace"], rule.resource, attributes["verb"]))
    assert printed == asked


def test_printed_rights_are_plain_yaml() -> None:
    """Everything printed is text, lists and mappings."""
    text = yaml.safe_dump_all(rights.manifests("mine", "sys"))
    kinds = [one["kind"] for one in yaml.safe_load_all(text)]
    assert kinds == ["ServiceAccount", "Role", "RoleBinding", "Role", "RoleBinding"]
