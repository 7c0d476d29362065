"""The mesh of a cluster against an API server that plays one: what it makes, asks, removes, and says when it cannot."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from harness import events
from harness.mesh import Broken, HelmWish, LoadWish, ObjectRef, Refused, RequestWish, RestartWish
from harness.meshes.cluster import Cluster, Settings
from harness.meshes.cluster.rollout import Deployments
from harness.meshes.cluster.settings import Private
from harness.observation import LoadResult, Response
from harness.services import login
from harness.services.kube import Api
from harness.toolchain.binaries import Toolchain
from tests.unit.meshes.cluster.world import World

NAMESPACE = "/api/v1/namespaces/tests"


@pytest.fixture
def said() -> list[events.Event]:
    """What a mesh says."""
    return []


@pytest.fixture
def mesh(settings: Settings, toolchain: Toolchain, said: list[events.Event]) -> Cluster:
    """A mesh that is not entered yet."""
    return Cluster(settings, toolchain, said.append)


def test_applications_are_there_inside_and_gone_after(mesh: Cluster, world: World, said: list[Any]) -> None:
    """Inside there are the namespace with its label and all applications; after, the namespace is deleted."""
    with mesh:
        assert world.objects[NAMESPACE]["metadata"]["labels"]["istio-injection"] == "enabled"
        names = {path.rpartition("/")[2] for path in world.objects if "/deployments/" in path}
        assert names == {"details", "client", "outsider"}
        assert any("/peerauthentications/" in path for path in world.objects)
    assert NAMESPACE not in world.objects
    assert [event.phase for event in said if isinstance(event, events.PhaseEnded)] == [
        "applications",
        "first request",
        "clean-up",
    ]


def test_what_was_there_before_is_left(settings: Settings, toolchain: Toolchain, world: World) -> None:
    """In a namespace that is not ours all we made is deleted, and the namespace stays."""
    with Cluster(dataclasses.replace(settings, temporary=False), toolchain, lambda _: None):
        assert len(world.objects) > 1
    assert list(world.objects) == [NAMESPACE]


def test_what_is_to_stay_stays(settings: Settings, toolchain: Toolchain, world: World) -> None:
    """With stay nothing is removed."""
    with Cluster(dataclasses.replace(settings, stay=True), toolchain, lambda _: None):
        pass
    assert not [asked for asked in world.asked if asked.startswith("DELETE")]


def test_a_namespace_without_labels_is_not_touched(
    settings: Settings, toolchain: Toolchain, world: World
) -> None:
    """A namespace that somebody prepared is neither made nor changed."""
    given = dataclasses.replace(settings, namespace_labels={}, temporary=False)
    with Cluster(given, toolchain, lambda _: None):
        assert NAMESPACE not in world.objects


def test_a_pod_without_its_sidecar_is_named(mesh: Cluster, world: World) -> None:
    """Where nothing was injected the entering fails, with the remedy, and cleans up."""
    world.sidecar = ""
    with pytest.raises(Broken, match=r"pod details-\d: must have a sidecar, has none: label namespace tests"):
        mesh.__enter__()
    assert NAMESPACE not in world.objects


def test_a_container_that_will_not_start_is_told_at_once(mesh: Cluster, world: World) -> None:
    """An image that cannot be had ends the entering with the kubelet's words, and no time-out is waited for."""
    world.waiting = "ErrImageNeverPull"
    with pytest.raises(Broken, match=r"container details of pod details-\d waits: ErrImageNeverPull: why"):
        mesh.__enter__()


def test_pods_that_may_not_be_made_are_told_at_once(mesh: Cluster, world: World) -> None:
    """A quota ends the entering with the words of who keeps it."""
    world.pods, world.refusal = (), "exceeded quota: two"
    with pytest.raises(Broken, match="Deployment tests/details: must become ready, exceeded quota: two"):
        mesh.__enter__()


def test_an_injector_that_is_not_reached_yet_is_waited_for(mesh: Cluster, world: World) -> None:
    """The ReplicaSet's controller tries again; only when the time is over that is why."""
    with mesh:
        world.pods, world.refusal = (), 'failed calling webhook "x": connection refused'
        mesh.restart(RestartWish("details", wait=False))
        with (
            contextlib.closing(Api(login.with_kubeconfig(mesh.settings.kubeconfig, None))) as api,
            pytest.raises(Broken, match=r"must be ready within 0.1 s, is not: failed calling webhook"),
        ):
            Deployments(api).wait("tests", ["details"], 0.1)


def test_an_object_that_is_refused_ends_the_entering(mesh: Cluster, world: World) -> None:
    """The API server's words are told as what they are: this mesh cannot come up."""
    world.refused.add("services")
    with pytest.raises(Broken, match="applications: services is forbidden"):
        mesh.__enter__()
    assert NAMESPACE not in world.objects


def test_a_kubeconfig_that_is_none_is_told(settings: Settings, toolchain: Toolchain, tmp_path: Path) -> None:
    """A missing file is Broken with its name."""
    gone = dataclasses.replace(settings, kubeconfig=tmp_path / "gone")
    with pytest.raises(Broken, match="gone: must be a kubeconfig file"):
        Cluster(gone, toolchain, lambda _: None).__enter__()


def test_a_request_goes_by_the_agent_and_has_a_connection_of_its_own(mesh: Cluster, world: World) -> None:
    """The client's agent gets the Service's name, the Host of the mesh, and the mark of a new connection."""
    with mesh:
        world.answers["client"] = Response(404, (("a", "b"),), b"x")
        assert mesh.request(RequestWish("details", 9080)) == world.answers["client"]
    order = world.orders[-1]
    assert (order["agent"], order["body"]["address"]) == ("client", "details.tests.svc.cluster.local.")
    assert order["body"]["wish"]["headers"] == [["host", "details:9080"], ["x-harness-connection", "new"]]


def test_a_host_that_a_scenario_gives_is_kept(mesh: Cluster, world: World) -> None:
    """What a scenario says about the Host field holds."""
    with mesh:
        mesh.request(RequestWish("details", 9080, headers=(("Host", "other"),)))
    assert ["host", "details:9080"] not in world.orders[-1]["body"]["wish"]["headers"]


@pytest.mark.parametrize(("source", "to"), [("outsider", "details"), ("client", "wasmer")])
def test_no_mark_goes_where_no_sidecar_takes_it_away(
    mesh: Cluster, world: World, source: str, to: str
) -> None:
    """From who has no sidecar, and to what has no route for it, the mark is not sent."""
    with mesh:
        mesh.request(RequestWish(to, 8081, source))
    names = [name for name, _ in world.orders[-1]["body"]["wish"]["headers"]]
    assert names == ["host"]


def test_kept_connections_of_a_load_are_not_marked(mesh: Cluster, world: World) -> None:
    """Only what a load sends on new connections has the mark; its result is the agent's."""
    world.met = LoadResult(9, 1, ("x",))
    with mesh:
        load = mesh.load(LoadWish(RequestWish("details", 9080)))
        body = world.orders[-1]["body"]
        assert load.stop() == world.met == load.stop()
    assert body["wish"]["request"]["headers"] == [["host", "details:9080"]]
    assert ["x-harness-connection", "new"] in body["fresh"]["headers"]


def test_an_agent_on_its_way_is_waited_for(mesh: Cluster, world: World) -> None:
    """An answer of the API server in the agent's place is no answer: the agent is asked again."""
    with mesh:
        world.agents = [(502, False), (404, False)]
        assert mesh.request(RequestWish("details", 9080)).status == 200


def test_what_an_agent_refuses_is_told(mesh: Cluster, world: World) -> None:
    """The agent's own words about a bad order."""
    with mesh:
        world.agents = [(400, True)]
        with pytest.raises(Refused, match="client: said"):
            mesh.request(RequestWish("details", 9080))


@pytest.mark.parametrize(
    "wish",
    [
        RequestWish("nobody", 80),
        RequestWish("details", 80, source="details"),
        RequestWish("details", 80, "x"),
    ],
)
def test_unknown_workloads_are_refused_with_those_there_are(mesh: Cluster, wish: RequestWish) -> None:
    """A name that is none is told together with the names."""
    with mesh, pytest.raises(Refused, match="must be one"):
        mesh.request(wish)


def test_a_restart_gives_the_new_pods(mesh: Cluster) -> None:
    """A rolled-over workload is told with its generation and its new pods; without waiting there are none yet."""
    with mesh:
        rolled = mesh.restart(RestartWish("details"))
        assert (rolled.generation, rolled.pods) == (2, ("details-2",))
        assert mesh.restart(RestartWish("details", wait=False)).pods == ()


def test_a_restart_that_does_not_end_is_refused(mesh: Cluster, world: World) -> None:
    """When the time is over, what the pods are is told."""
    with mesh:
        world.waiting = "PodInitializing"
        with pytest.raises(Refused, match=r"Deployment tests/details: must have only new pods within 0.1 s"):
            mesh.restart(RestartWish("details", timeout=0.1))


def test_the_system_is_not_touched_where_it_is_not_ours(mesh: Cluster) -> None:
    """Without a chart of ours neither wasmer is restarted nor helm called, and nothing of it is promised."""
    assert "helm" not in mesh.capabilities
    with mesh:
        with pytest.raises(Refused, match="is this cluster's own"):
            mesh.restart(RestartWish("wasmer"))
        with pytest.raises(Refused, match="must not be touched"):
            mesh.helm(HelmWish("status"))


def test_objects_are_the_clusters(mesh: Cluster) -> None:
    """What is applied can be read and deleted."""
    target = ObjectRef("wasm.tcm.io/v1alpha1", "AutoWasm", "tests", "a")
    manifest = {
        "apiVersion": target.api_version,
        "kind": target.kind,
        "metadata": {"name": "a", "namespace": "tests"},
    }
    with mesh:
        mesh.apply(manifest)
        assert mesh.get(target) is not None
        assert mesh.delete(target)
        assert mesh.get(target) is None
        assert not mesh.delete(target)


def test_what_it_has_follows_from_its_settings(settings: Settings) -> None:
    """Strict mutual TLS, a private registry and a chart each give their capability and their bindings."""
    more = dataclasses.replace(settings, private=Private("p:1", "u", "hidden"), chart=Path("chart"))
    assert more.capabilities - settings.capabilities == {"private-registry", "helm"}
    assert settings.capabilities - dataclasses.replace(settings, strict=False).capabilities == {"mtls"}
    assert more.bindings["registry_password"] == "hidden"
    assert "hidden" not in repr(more)
    assert settings.bindings["registry_user"] == ""


def test_what_explains_a_failure_is_written_part_by_part(mesh: Cluster, tmp_path: Path) -> None:
    """Each part has its file, and what cannot be had says why in one of its own."""
    with mesh:
        mesh.collect(tmp_path / "out")
    found = {
        str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()
    }
    assert {"tests/deployments.yaml", "tests/details-1/envoy-config_dump.json", "istiod-syncz.json"} <= found
    assert "tests/endpointslices.yaml.missing" in found
