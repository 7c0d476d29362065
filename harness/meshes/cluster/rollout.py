"""Deployments: when all their pods are new and ready, why they will never be, and how they are rolled over.

What "complete" means is kubectl's (``kubectl rollout status``): the newest generation was seen, all replicas are of
its template, available, and no others are left.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from harness.mesh import Broken, ObjectRef, Refused, RestartWish
from harness.observation import Rollout
from harness.services.kube import Api

Object = Mapping[str, Any]

RESTARTED: Final = "kubectl.kubernetes.io/restartedAt"
SIDECAR: Final = "istio-proxy"
_POLL_SECONDS: Final = 0.05
_UNREACHED: Final = "failed calling webhook"
"""An API server's words; it is tried again, and the address of an injector that has just come takes its time."""
_HOPELESS: Final = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)


@dataclass(frozen=True, slots=True)
class Deployments:
    """The Deployments of a cluster, as one user."""

    api: Api

    def wait(self, namespace: str, names: Sequence[str], timeout: float) -> None:
        """Wait until Deployments are complete.

        Raises:
            Broken: one never will be, or the time was over; its pods' own words are quoted.
        """
        deadline = time.monotonic() + timeout
        for name in names:
            target = _ref(namespace, name)
            while not complete(found := self._get(target)):
                pods = self._pods(found)
                refusal = _refused(found)
                final = "" if _UNREACHED in refusal else refusal
                if words := next(filter(None, map(hopeless, pods)), "") or final:
                    raise Broken(f"{target}: must become ready, {words}")
                if time.monotonic() > deadline:
                    seen = "; ".join(map(_words, pods)) or refusal or "it has no pods"
                    raise Broken(f"{target}: must be ready within {timeout:g} s, is not: {seen}")
                time.sleep(_POLL_SECONDS)

    def restart(self, namespace: str, wish: RestartWish) -> Rollout:
        """Roll a Deployment over. Raises Refused where that takes too long."""
        target = _ref(namespace, wish.workload)
        mark = {RESTARTED: datetime.now(UTC).isoformat()}
        change = {"spec": {"template": {"metadata": {"annotations": mark}}}}
        generation = int(self.api.patch(target, change)["metadata"]["generation"])
        if not wish.wait:
            return Rollout(wish.workload, generation)
        deadline = time.monotonic() + wish.timeout
        while True:
            found = self._get(target)
            pods = self._pods(found)
            new, old = _split(pods, mark[RESTARTED])
            if complete(found) and new and not old:
                return Rollout(wish.workload, generation, tuple(sorted(map(_name, new))))
            if time.monotonic() > deadline:
                seen = "; ".join(map(_words, pods))
                raise Refused(f"{target}: must have only new pods within {wish.timeout:g} s, has {seen}")
            time.sleep(_POLL_SECONDS)

    def without_sidecar(self, namespace: str, names: Sequence[str]) -> list[str]:
        """The pods of Deployments that have no sidecar."""
        pods = [pod for name in names for pod in self.pods(namespace, name)]
        return [_name(pod) for pod in pods if SIDECAR not in containers(pod)]

    def pods(self, namespace: str, name: str) -> list[Object]:
        """The pods of a Deployment. Raises Refused where there is no such Deployment."""
        return self._pods(self._get(_ref(namespace, name)))

    def _get(self, target: ObjectRef) -> Object:
        found = self.api.get(target)
        if found is None:
            raise Refused(f"{target}: must be there, is not")
        return found

    def _pods(self, of: Object) -> list[Object]:
        labels = of["spec"]["selector"]["matchLabels"]
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        return self.api.list("v1", "Pod", selector, namespace=of["metadata"]["namespace"])


def complete(of: Object) -> bool:
    """Whether a Deployment has new pods only and all are available."""
    status, wanted = of.get("status") or {}, of["spec"].get("replicas", 1)
    counts = [status.get(key, 0) for key in ("updatedReplicas", "replicas", "availableReplicas")]
    return status.get("observedGeneration", 0) >= of["metadata"]["generation"] and counts == [wanted] * 3


def containers(pod: Object) -> list[str]:
    """The names of a pod's containers; native sidecars are among those that Kubernetes calls init containers."""
    spec = pod["spec"]
    return [one["name"] for one in [*spec.get("initContainers", ()), *spec["containers"]]]


def hopeless(pod: Object) -> str:
    """Why a pod will not become ready without somebody's help, in words; empty where it may."""
    status = pod.get("status") or {}
    for one in [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]:
        waiting = (one.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _HOPELESS:
            message = waiting.get("message") or "no reason given"
            return f"container {one['name']} of pod {_name(pod)} waits: {waiting['reason']}: {message}"
    return ""


def _refused(deployment: Object) -> str:
    """Why its pods are not even made: a quota, or an admission webhook that says no or cannot be reached."""
    for one in (deployment.get("status") or {}).get("conditions", ()):
        if one["type"] == "ReplicaFailure" and one["status"] == "True":
            return str(one.get("message") or one.get("reason"))
    return ""


def _split(pods: Sequence[Object], mark: str) -> tuple[list[Object], list[Object]]:
    new = [pod for pod in pods if pod["metadata"].get("annotations", {}).get(RESTARTED) == mark]
    return new, [pod for pod in pods if pod not in new]


def _words(pod: Object) -> str:
    status = pod.get("status") or {}
    false = [
        f"{one['type']}: {one.get('reason', '')} {one.get('message', '')}".strip()
        for one in status.get("conditions", ())
        if one.get("status") != "True"
    ]
    ending = "ends" if pod["metadata"].get("deletionTimestamp") else status.get("phase", "unknown")
    return f"pod {_name(pod)} {', '.join([ending, *false])}"


def _name(pod: Object) -> str:
    return str(pod["metadata"]["name"])


def _ref(namespace: str, name: str) -> ObjectRef:
    return ObjectRef("apps/v1", "Deployment", namespace, name)
