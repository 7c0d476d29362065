"""A pod as a value, out of what the API server says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm.controller.sidecars import pods
from autowasm.kube import kinds
from autowasm.kube.names import Key


def obj(**more):
    """A running pod with a sidecar, as the watch keeps it."""
    return kinds.Pod(
        {
            "metadata": {
                "name": "details-1",
                "namespace": "default",
                "uid": "u1",
                "labels": {"app": "details"},
                "managedFields": [{"manager": "kubelet"}],
                "creationTimestamp": "2026-01-01T00:00:00Z",
                **more.pop("metadata", {}),
            },
            "spec": {
                "containers": more.pop(
                    "containers",
                    [
                        {"name": "details", "ports": [{"containerPort": 9080}], "env": [{"name": "A"}]},
                        {"name": "istio-proxy", "ports": [{"containerPort": 15090}]},
                    ],
                ),
                "initContainers": more.pop("inits", []),
            },
            "status": {
                "phase": "Running",
                "podIPs": [{"ip": "10.0.0.7"}, {"ip": "::ffff:10.0.0.8"}],
                "startTime": "2026-01-01T00:00:01Z",
                "containerStatuses": [
                    {"name": "istio-proxy", "state": {"running": {"startedAt": "2026-01-01T00:00:05Z"}}}
                ],
                **more.pop("status", {}),
            },
        }
    )


def test_what_is_kept_of_a_pod():
    """Identity, labels, addresses, declared ports but the sidecar's own, and since when its sidecar runs."""
    pod = pods.read(obj())
    assert pod == pods.Pod(
        key=Key("default", "details-1"),
        uid="u1",
        labels={"app": "details"},
        addresses=("10.0.0.7", "10.0.0.8"),
        ports=frozenset({9080}),
        sidecar=True,
        gateway=False,
        since=pods.seconds("2026-01-01T00:00:05Z"),
        trouble="",
    )
    assert "managedFields" not in obj()["metadata"]
    assert "env" not in obj()["spec"]["containers"][0]


@pytest.mark.parametrize(
    "more",
    [
        {"status": {"phase": "Pending"}},
        {"status": {"phase": "Succeeded"}},
        {"status": {"podIPs": []}},
        {"metadata": {"deletionTimestamp": "2026-01-01T00:00:09Z"}},
    ],
)
def test_who_is_nobody(more):
    """What does not run, goes, or has no address is no audience."""
    assert pods.read(obj(**more)) is None


def test_a_sidecar_among_the_init_containers():
    """A sidecar that Kubernetes starts first counts, and an init container that ends does not."""
    app = [{"name": "details"}]
    stays = [{"name": "istio-proxy", "restartPolicy": "Always"}]
    assert pods.read(obj(containers=app, inits=stays)).sidecar
    assert not pods.read(obj(containers=app, inits=[{"name": "istio-proxy"}])).sidecar


def test_a_gateway_s_proxy_is_no_sidecar():
    """The container has the same name, and its agent is told to be a router."""
    proxy = [{"name": "istio-proxy", "args": ["proxy", "router", "--domain"]}]
    assert pods.read(obj(containers=proxy)).gateway
    assert not pods.read(obj(containers=[{"name": "istio-proxy", "args": ["proxy", "sidecar"]}])).gateway


def test_a_sidecar_that_does_not_run():
    """Why it waits is told, and its life is then the pod's."""
    waiting = [{"name": "istio-proxy", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]
    pod = pods.read(obj(status={"containerStatuses": waiting}))
    assert (pod.trouble, pod.since) == ("CrashLoopBackOff", pods.seconds("2026-01-01T00:00:01Z"))


def test_another_container_is_another_life():
    """A sidecar that was started again is not the one that fetched."""
    again = [{"name": "istio-proxy", "state": {"running": {"startedAt": "2026-01-01T00:01:00Z"}}}]
    assert pods.read(obj()).life != pods.read(obj(status={"containerStatuses": again})).life


@given(st.text(max_size=30))
def test_times_and_addresses_never_raise(text):
    """Whatever stands where a time or an address should be reads as none, or as one."""
    assert pods.seconds(text) >= 0 or text
    assert isinstance(pods.address(text), str)


def test_times():
    """Times of Kubernetes and of wasmers, with and without fractions; without an offset it is none."""
    assert pods.seconds("1970-01-01T00:01:00Z") == 60
    assert pods.seconds("1970-01-01T01:01:00.5+01:00") == 60.5
    assert pods.seconds("1970-01-01T00:01:00") == 0
