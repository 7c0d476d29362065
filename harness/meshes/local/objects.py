"""The objects of the default topology, as a cluster with Bookinfo's details and an installed AutoWasm has them.

There is no kubelet: Pods are bound to a Node that is only a record, and their statuses are written here, since the
endpointslice controller and istiod read both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from harness.meshes.local import topology
from harness.meshes.local.topology import Workload

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
    """The Pod of a workload. Its image names no image: nothing pulls it."""
    ports = [{"name": name, "containerPort": port} for name, port in workload.ports.items()]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": workload.pod, "namespace": workload.namespace, "labels": dict(workload.labels)},
        "spec": {
            "nodeName": topology.NODE,
            "serviceAccountName": workload.account,
            "containers": [{"name": workload.name, "image": workload.name, "ports": ports}],
        },
    }


def pod_status(workload: Workload) -> Object:
    """What a kubelet would say of a Pod that runs."""
    conditions = [{"type": kind, "status": "True"} for kind in ("Initialized", "Ready", "ContainersReady")]
    return {
        "phase": "Running",
        "hostIP": topology.NODE_ADDRESS,
        "podIP": workload.address,
        "podIPs": [{"ip": workload.address}],
        "conditions": conditions,
        "containerStatuses": [
            {
                "name": workload.name,
                "image": workload.name,
                "imageID": "",
                "ready": True,
                "started": True,
                "restartCount": 0,
                "state": {"running": {}},
            }
        ],
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
