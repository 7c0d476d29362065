"""The objects of the default topology, as a cluster with Bookinfo's details and an installed AutoWasm has them.

There is no kubelet: Pods are bound to a Node that is only a record, and their statuses are written here, since the
endpointslice controller and istiod read both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Final

from harness.meshes.local import topology
from harness.meshes.local.topology import Workload
from harness.services import envoy

SIDECAR: Final = "istio-proxy"
_SIDECAR_PORTS: Final = {"http-envoy-prom": envoy.STATS_PORT}

Object = Mapping[str, Any]

NODE: Final[Object] = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": topology.NODE}}


def base() -> list[Object]:
    """What must be there first: the namespace of Istio and the Node."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": topology.SYSTEM}},
        NODE,
    ]


def workloads() -> list[Object]:
    """Accounts, Services and Pods; those of AutoWasm's own installation come from its own program."""
    pods = [pod(workload) for workload in topology.WORKLOADS if workload.pod]
    return [_account(topology.DETAILS), _service(topology.DETAILS), *pods]


def mesh_policy() -> Object:
    """No mTLS: sidecars have no agent that fetches certificates."""
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": {"name": "default", "namespace": topology.SYSTEM},
        "spec": {"mtls": {"mode": "DISABLE"}},
    }


def pod(workload: Workload) -> Object:
    """The Pod of a workload. Its images name no images: nothing pulls them."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": workload.pod, "namespace": workload.namespace, "labels": dict(workload.labels)},
        "spec": {
            "nodeName": topology.NODE,
            "serviceAccountName": workload.account,
            "containers": [_container(name, ports) for name, ports in _containers(workload).items()],
        },
    }


def container_names(workload: Workload) -> list[str]:
    """The names of the containers of a workload's Pod, the application's own first."""
    return list(_containers(workload))


def _containers(workload: Workload) -> Mapping[str, Mapping[str, int]]:
    """Containers and their ports, by name; ``details`` is what has a sidecar here."""
    own = {workload.base: workload.ports}
    return {**own, SIDECAR: _SIDECAR_PORTS} if workload.base == topology.DETAILS.name else own


def _container(name: str, ports: Mapping[str, int]) -> Object:
    listed = [{"name": key, "containerPort": port} for key, port in ports.items()]
    return {"name": name, "image": name, "ports": listed}


@dataclass(frozen=True, slots=True)
class State:
    """A container as its kubelet sees it; ``started`` is a time as Kubernetes writes it, empty where unknown."""

    name: str
    running: bool = True
    _: KW_ONLY
    ready: bool = True
    restarts: int = 0
    started: str = ""


def pod_status(workload: Workload, states: Sequence[State] = ()) -> Object:
    """What a kubelet says of a Pod; without states, that all of it has run from the beginning."""
    states = states or [State(name) for name in container_names(workload)]
    ready = str(all(one.ready for one in states))
    conditions = [
        {"type": "Initialized", "status": "True"},
        *({"type": kind, "status": ready} for kind in ("Ready", "ContainersReady")),
    ]
    return {
        "phase": "Running",
        "hostIP": topology.NODE_ADDRESS,
        "podIP": workload.address,
        "podIPs": [{"ip": workload.address}],
        "conditions": conditions,
        "containerStatuses": [_container_status(one) for one in states],
    }


def _container_status(one: State) -> Object:
    running = {"running": {"startedAt": one.started} if one.started else {}}
    return {
        "name": one.name,
        "image": one.name,
        "imageID": "",
        "ready": one.ready,
        "started": one.running,
        "restartCount": one.restarts,
        "state": running if one.running else {"waiting": {"reason": "CrashLoopBackOff"}},
    }


def node_status() -> Object:
    """What a kubelet would say of a node that is well."""
    return {
        "conditions": [{"type": "Ready", "status": "True", "reason": "Harness"}],
        "addresses": [{"type": "InternalIP", "address": topology.NODE_ADDRESS}],
    }


def _account(workload: Workload) -> Object:
    metadata = {"name": workload.account, "namespace": workload.namespace}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def _service(workload: Workload) -> Object:
    ports = [{"name": name, "port": port, "targetPort": port} for name, port in workload.ports.items()]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": workload.name,
            "namespace": workload.namespace,
            "labels": {"app": workload.labels["app"], "service": workload.name},
        },
        "spec": {"selector": {"app": workload.labels["app"]}, "ports": ports},
    }
