"""Addresses, objects, ports and names of the default topology."""

from __future__ import annotations

import socket

from harness.meshes.local import objects, sandbox, topology
from harness.services import capture


def test_no_two_workloads_share_an_address_or_a_name() -> None:
    """Names and numbers are unique, and no application port is one that the capture leaves alone."""
    names = [workload.name for workload in topology.WORKLOADS]
    addresses = [workload.address for workload in topology.WORKLOADS]
    assert len(set(names)) == len(set(addresses)) == len(names)
    ports = {port for workload in topology.WORKLOADS for port in workload.ports.values()}
    assert not ports & {*capture.EXCLUDED, capture.INBOUND_PORT}


def test_names_of_services_lead_to_their_workloads() -> None:
    """Both registries are on the node, and a Service's names in the cluster lead to its Pod."""
    first = {workload.name: [workload.address] for workload in topology.WORKLOADS}
    told = topology.hosts(first)
    lines = {name: line.split()[0] for line in told.splitlines() for name in line.split()[1:]}
    assert lines["registry.localhost"] == lines["private.localhost"] == topology.NODE_ADDRESS
    assert lines["wasmer.istio-system.svc.cluster.local"] == topology.WASMER.address
    assert lines["autowasm-controller.istio-system"] == topology.CONTROLLER.address


def test_pods_are_selected_by_their_services_and_bound_to_the_node() -> None:
    """The Pod of details has the labels, the ports and the address that its Service and istiod look for."""
    pod = objects.pod(topology.DETAILS)
    [service] = [one for one in objects.workloads() if one["kind"] == "Service"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert [port["targetPort"] for port in service["spec"]["ports"]] == [
        port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]
    ]
    assert pod["spec"]["nodeName"] == objects.NODE["metadata"]["name"]
    assert objects.pod_status(topology.DETAILS)["podIP"] == topology.DETAILS.address


def test_a_taken_port_is_replaced_and_the_registry_has_the_same_one_inside() -> None:
    """Where a wished port is taken any free one is used, and what is told inside is what is bound outside."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        [again] = [sandbox._bind(taken.getsockname()[1])]
        with again:
            assert again.getsockname()[1] != taken.getsockname()[1]
    listeners = sandbox.bind()
    try:
        found = sandbox.opened(listeners)
        options = sandbox.options(found)
        assert options.registry_port == found["registry"].listener.getsockname()[1]
        targets = {route.listener: route.target for route in sandbox.routes(found)}
        assert targets[found["details:9080"].listener] == (topology.DETAILS.address, 9080)
        assert targets[found["registry"].listener] == ("127.0.0.1", options.registry_port)
    finally:
        for one in listeners:
            one.close()


def test_a_pod_is_as_ready_as_the_least_ready_of_its_containers() -> None:
    """What the kubelet's stand-in says of a Pod: conditions over all, state and restarts of each container."""
    states = [objects.State("details"), objects.State("istio-proxy", running=False, ready=False, restarts=3)]
    status = objects.pod_status(topology.DETAILS, states)
    conditions = {one["type"]: one["status"] for one in status["conditions"]}
    assert conditions == {"Initialized": "True", "Ready": "False", "ContainersReady": "False"}
    app, sidecar = status["containerStatuses"]
    assert app["ready"]
    assert "running" in app["state"]
    assert (sidecar["restartCount"], list(sidecar["state"])) == (3, ["waiting"])


def test_replicas_have_places_of_their_own_and_a_service_in_common() -> None:
    """One more wasmer has its own names and address, the labels of the first, and its name leads to both."""
    more = topology.WASMER.replica(1, 9)
    assert (more.name, more.pod, more.address, more.base) == ("wasmer-1", "wasmer-1", "10.99.9.2", "wasmer")
    assert more.labels == topology.WASMER.labels
    told = topology.hosts({"wasmer": [topology.WASMER.address, more.address]})
    of_wasmer = [line.split()[0] for line in told.splitlines() if "wasmer-peers.istio-system" in line.split()]
    assert of_wasmer == [topology.WASMER.address, more.address]
