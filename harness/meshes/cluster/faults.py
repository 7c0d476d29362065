"""Harm that is done to a cluster: which container is meant, and nodes that refuse pods. Killing is the node's business.

Only meshes whose nodes the harness made have a ``Node``: it needs to be root there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from harness.mesh import FaultWish, ObjectRef, Refused
from harness.meshes.cluster.rollout import Deployments
from harness.meshes.cluster.settings import Settings
from harness.meshes.cluster.traffic import places
from harness.observation import Fault
from harness.services.kube import Api

Object = Mapping[str, Any]

_ISTIOD: Final = "istiod"


class Node(Protocol):
    """The machine that runs a cluster's containers, as its root."""

    def kill(self, container: str) -> int:
        """Send SIGKILL to the main process of a container, by the runtime's id of it; returns the process's id.

        Raises Refused where there is no such container, or it does not run.
        """
        ...


@dataclass(frozen=True, slots=True)
class Faults:
    """What can be done to one cluster."""

    api: Api
    settings: Settings
    node: Node

    def __call__(self, wish: FaultWish) -> Fault:
        """Do harm. Raises Refused."""
        if wish.action == "kill":
            return self._kill(wish)
        if wish.action not in ("cordon", "uncordon"):
            raise Refused(f"fault {wish.action}: a cluster's parts are killed or cordoned, and nothing else")
        return Fault(nodes=self.cordon(on=wish.action == "cordon"))

    def cordon(self, *, on: bool) -> tuple[str, ...]:
        """Make every node unschedulable, or schedulable again; returns the names of those that were not so."""
        changed = [one for one in self.api.list("v1", "Node") if _unschedulable(one) != on]
        names = tuple(str(one["metadata"]["name"]) for one in changed)
        for name in names:
            node = ObjectRef("v1", "Node", "", name)
            self.api.patch(
                node, {"spec": {"unschedulable": on or None}}
            )  # null takes the key away, as kubectl does
        return names

    def _kill(self, wish: FaultWish) -> Fault:
        namespace = self._namespace(wish.workload)
        pods = [pod for pod in Deployments(self.api).pods(namespace, wish.workload) if _runs(pod)]
        if not pods:
            raise Refused(f"workload {wish.workload}: must have a pod that runs, has none")
        pod = _chosen(pods, self._holder(namespace, wish.workload))
        status = _container(pod, wish.container or pod["spec"]["containers"][0]["name"])
        pid = self.node.kill(str(status["containerID"]).rpartition("//")[2])
        return Fault(
            pod=pod["metadata"]["name"],
            container=status["name"],
            pid=pid,
            restarts=int(status.get("restartCount", 0)) + 1,
        )

    def _namespace(self, workload: str) -> str:
        known = {name: place.namespace for name, place in places(self.settings).items()}
        known[_ISTIOD] = self.settings.system
        if workload not in known:
            raise Refused(f"workload {workload}: must be one of {', '.join(known)}")
        return known[workload]

    def _holder(self, namespace: str, name: str) -> str:
        """Who holds the Lease of a workload's name: the name of its pod, and something more."""
        found = self.api.get(ObjectRef("coordination.k8s.io/v1", "Lease", namespace, name)) or {}
        return str((found.get("spec") or {}).get("holderIdentity") or "")


def _unschedulable(node: Object) -> bool:
    return bool((node.get("spec") or {}).get("unschedulable"))


def _runs(pod: Object) -> bool:
    ends = pod["metadata"].get("deletionTimestamp")
    return not ends and bool((pod.get("status") or {}).get("phase") == "Running")


def _chosen(pods: Sequence[Object], holder: str) -> Object:
    """The holder's pod, else the first by name. A name of a pod has no ``_``, which ends it in an identity."""
    named = {str(pod["metadata"]["name"]): pod for pod in pods}
    holding = holder.partition("_")[0]
    return named[holding if holding in named else min(named)]


def _container(pod: Object, name: str) -> Object:
    """The status of a container that runs; native sidecars are among the init containers."""
    status = pod["status"]
    statuses = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    running: list[Object] = [one for one in statuses if "running" in (one.get("state") or {})]
    for one in running:
        if one["name"] == name:
            return one
    names = ", ".join(one["name"] for one in running) or "none"
    raise Refused(f"container {name} of pod {pod['metadata']['name']}: must run; those that do: {names}")
