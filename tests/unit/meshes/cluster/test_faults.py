"""Harm that is done to a cluster: which container it is, which nodes, and whom it is refused to."""

from __future__ import annotations

from typing import Any

import pytest

from harness.mesh import FaultWish, Refused
from harness.meshes.cluster import Cluster, Settings
from harness.observation import Fault
from harness.toolchain.binaries import Toolchain
from tests.unit.meshes.cluster.world import World

LEASE = "/apis/coordination.k8s.io/v1/namespaces/istio-system/leases/autowasm-controller"
NODES = {name: f"/api/v1/nodes/{name}" for name in ("one", "two")}


class Node:
    """A node that counts who was killed on it."""

    def __init__(self) -> None:
        self.killed: list[str] = []

    def kill(self, container: str) -> int:
        """Remember the container."""
        self.killed.append(container)
        return 40 + len(self.killed)


@pytest.fixture
def node() -> Node:
    """The node of the mesh."""
    return Node()


@pytest.fixture
def mesh(settings: Settings, toolchain: Toolchain, world: World, node: Node) -> Cluster:
    """A mesh of two nodes that are ours, not entered yet."""
    for name, path in NODES.items():
        world.objects[path] = {"metadata": {"name": name}, "spec": {}}
    return Cluster(settings, toolchain, lambda _: None, node)


def controller(mesh: Cluster, name: str = "autowasm-controller") -> None:
    """Add a Deployment to the system."""
    labels = {"app": name}
    spec = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": name}]}},
    }
    metadata = {"name": name, "namespace": "istio-system"}
    mesh.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})


def cordoned(world: World) -> list[Any]:
    """What each node says of itself."""
    return [world.objects[path]["spec"].get("unschedulable") for path in NODES.values()]


def test_an_application_is_killed_by_the_id_of_its_container(mesh: Cluster, node: Node) -> None:
    """Without the name of a container it is the application's; the restart to wait for is the next one."""
    with mesh:
        done = mesh.fault(FaultWish("kill", "details"))
    assert done == Fault(pod="details-1", container="details", pid=41, restarts=5)
    assert node.killed == ["details-1/details"]


def test_a_sidecar_is_a_container_too(mesh: Cluster, node: Node) -> None:
    """Native sidecars are init containers, and found by their name."""
    with mesh:
        mesh.fault(FaultWish("kill", "details", "istio-proxy"))
    assert node.killed == ["details-1/istio-proxy"]


def test_who_leads_is_the_one(mesh: Cluster, world: World, node: Node) -> None:
    """Of several pods it is the holder of the workload's Lease; where there is no such pod, the first."""
    world.pods = ("-b", "-a", "-c")
    with mesh:
        controller(mesh)
        mesh.fault(FaultWish("kill", "autowasm-controller"))
        for holder in ("autowasm-controller-1-c_5f3e", "autowasm-controller-1-gone_5f3e"):
            world.objects[LEASE] = {"spec": {"holderIdentity": holder}}
            mesh.fault(FaultWish("kill", "autowasm-controller"))
    assert [one.partition("/")[0].removeprefix("autowasm-controller-1-") for one in node.killed] == list(
        "aca"
    )


def test_istiod_can_be_killed(mesh: Cluster, node: Node) -> None:
    """It is no workload that requests go to, and is found in the system all the same."""
    with mesh:
        controller(mesh, "istiod")
        mesh.fault(FaultWish("kill", "istiod"))
    assert node.killed == ["istiod-1/istiod"]


def test_what_is_not_there_is_refused(mesh: Cluster, world: World, node: Node) -> None:
    """An unknown workload, one without a Deployment, an unknown container, and one that does not run: nobody dies."""
    with mesh:
        for wish, told in (
            (FaultWish("kill", "nobody"), "workload nobody: must be one of details, .*istiod"),
            (FaultWish("kill", "wasmer"), "Deployment istio-system/wasmer: must be there"),
            (
                FaultWish("kill", "details", "x"),
                "container x of pod details-1: must run; those that do: istio-proxy",
            ),
        ):
            with pytest.raises(Refused, match=told):
                mesh.fault(wish)
        world.waiting = "PodInitializing"
        with pytest.raises(
            Refused, match="container details of pod details-1: must run; those that do: istio-proxy"
        ):
            mesh.fault(FaultWish("kill", "details"))
        world.pods = ()
        with pytest.raises(Refused, match="workload details: must have a pod that runs"):
            mesh.fault(FaultWish("kill", "details"))
    assert node.killed == []


def test_every_node_is_cordoned_and_uncordoned(mesh: Cluster, world: World) -> None:
    """Only those that are not so already are changed, and told."""
    world.objects[NODES["two"]]["spec"]["unschedulable"] = True
    with mesh:
        assert cordoned(world) == [None, None]  # what a killed run left is mended
        assert mesh.fault(FaultWish("cordon")).nodes == ("one", "two")
        assert cordoned(world) == [True, True]
        assert mesh.fault(FaultWish("cordon")).nodes == ()
        assert mesh.fault(FaultWish("uncordon")).nodes == ("one", "two")
    assert cordoned(world) == [None, None]


def test_nodes_of_others_are_left_alone(settings: Settings, toolchain: Toolchain, world: World) -> None:
    """A mesh without a node of ours promises no faults, refuses them, and does not look at nodes."""
    with Cluster(settings, toolchain, lambda _: None) as mesh:
        assert "faults" not in mesh.capabilities
        with pytest.raises(Refused, match="its nodes must belong to the harness"):
            mesh.fault(FaultWish("cordon"))
    assert not [asked for asked in world.asked if "/nodes" in asked]


def test_who_has_a_node_promises_faults(mesh: Cluster, settings: Settings) -> None:
    """It is the one capability more."""
    assert mesh.capabilities - settings.capabilities == {"faults"}
