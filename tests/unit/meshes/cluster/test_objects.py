"""The applications as objects: what keeps them harmless, and what makes requests tell the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.meshes.cluster import Settings, objects, rollout
from harness.services import agent

SETTINGS = Settings("test", Path("config"), "apps:1", "registry.test", namespace="n", labels={"run": "1"})


def of(kind: str) -> list[Any]:
    """The objects of a kind."""
    return [one for one in objects.all_of(SETTINGS) if one["kind"] == kind]


def test_everything_is_in_the_namespace_and_labelled() -> None:
    """Whatever is made can be found and removed."""
    for one in objects.all_of(SETTINGS):
        assert one["metadata"]["namespace"] == "n"
        assert one["metadata"]["labels"].items() >= {**objects.MANAGED, "run": "1"}.items()


@pytest.mark.parametrize("deployment", of("Deployment"), ids=lambda one: one["metadata"]["name"])
def test_containers_may_do_nothing(deployment: Any) -> None:
    """No container runs as root, writes to its image, gains privileges or has a token."""
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    security = container["securityContext"]
    assert security["runAsNonRoot"]
    assert security["readOnlyRootFilesystem"]
    assert not security["allowPrivilegeEscalation"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert not pod["automountServiceAccountToken"]


def test_services_select_their_pods() -> None:
    """Each Service's selector fits the pods of the Deployment of its name, and its ports are theirs."""
    deployments = {one["metadata"]["name"]: one["spec"]["template"] for one in of("Deployment")}
    for service in of("Service"):
        template = deployments[service["metadata"]["name"]]
        assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        listening = {port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
        assert {port["port"] for port in service["spec"]["ports"]} == listening


def test_agents_are_left_alone_by_sidecars() -> None:
    """The API server reaches the client's agent past its sidecar; the outsider has none."""
    templates = {one["metadata"]["name"]: one["spec"]["template"]["metadata"] for one in of("Deployment")}
    excluded = templates["client"]["annotations"]["traffic.sidecar.istio.io/excludeInboundPorts"]
    assert excluded == str(agent.PORT)
    assert templates["outsider"]["labels"]["sidecar.istio.io/inject"] == "false"


def test_no_route_sends_again_and_the_mark_is_taken_away() -> None:
    """Every route to details has no retries and removes the mark; marked requests go to their subset, first."""
    (routes,) = of("VirtualService")
    (rule,) = of("DestinationRule")
    http = routes["spec"]["http"]
    assert all(route["retries"] == {"attempts": 0} for route in http)
    assert all(route["headers"]["request"]["remove"] == [objects.FRESH[0]] for route in http)
    subset = rule["spec"]["subsets"][0]
    for port in (9080, 9081):
        marked, plain = (route for route in http if route["match"][0]["port"] == port)
        assert marked["match"][0]["headers"] == {objects.FRESH[0]: {"exact": objects.FRESH[1]}}
        assert marked["route"][0]["destination"]["subset"] == subset["name"]
        assert "subset" not in plain["route"][0]["destination"]
    assert subset["trafficPolicy"]["connectionPool"]["http"] == {"maxRequestsPerConnection": 1}


def test_mutual_tls_is_strict_where_that_is_wanted() -> None:
    """A policy of the namespace says so, and is absent otherwise."""
    assert of("PeerAuthentication")[0]["spec"] == {"mtls": {"mode": "STRICT"}}
    lax = Settings("test", Path("config"), "apps:1", "registry.test", strict=False)
    assert "PeerAuthentication" not in {one["kind"] for one in objects.all_of(lax)}


STATUS = {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}


@pytest.mark.parametrize(
    ("changed", "complete"),
    [
        ({}, True),
        ({"observedGeneration": 1}, False),
        ({"replicas": 2}, False),
        ({"updatedReplicas": 0}, False),
        ({"availableReplicas": 0}, False),
        (dict.fromkeys(STATUS, 0), False),
    ],
)
def test_a_deployment_is_complete_as_kubectl_has_it(changed: dict[str, int], complete: bool) -> None:
    """The newest generation was seen, all pods are new and available, and no old one is left."""
    found = {"metadata": {"generation": 2}, "spec": {"replicas": 1}, "status": {**STATUS, **changed}}
    assert rollout.complete(found) == complete
    assert not rollout.complete({"metadata": {"generation": 1}, "spec": {}})


@pytest.mark.parametrize("where", ["containerStatuses", "initContainerStatuses"])
@pytest.mark.parametrize(
    ("reason", "hopeless"),
    [("ImagePullBackOff", True), ("ContainerCreating", False), ("CrashLoopBackOff", True)],
)
def test_what_waits_in_vain_is_told(where: str, reason: str, hopeless: bool) -> None:
    """A container that will not start without help is named; one that is on its way is not."""
    status = {where: [{"name": "c", "state": {"waiting": {"reason": reason, "message": "m"}}}]}
    told = rollout.hopeless({"metadata": {"name": "p"}, "status": status})
    assert told == (f"container c of pod p waits: {reason}: m" if hopeless else "")
