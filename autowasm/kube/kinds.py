"""The kinds that the controller watches, as classes of the client library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lightkube import generic_resource

from autowasm.istio import names

AutoWasm = generic_resource.create_namespaced_resource(names.GROUP, names.VERSION, names.KIND, names.PLURAL)
EnvoyFilter = generic_resource.create_namespaced_resource(
    "networking.istio.io", "v1alpha3", "EnvoyFilter", "envoyfilters"
)

Kind = type[generic_resource.GenericNamespacedResource]

_METADATA: Final = frozenset(
    {"name", "namespace", "uid", "resourceVersion", "labels", "creationTimestamp", "deletionTimestamp"}
)


class Pod(generic_resource.GenericNamespacedResource):
    """A pod, less all that nobody here looks at: a cluster may have ten thousand, of some ten kilobytes each.

    It has the shape of a pod: what is left out is absent.
    """

    _api_info = generic_resource.create_api_info("", "v1", "Pod", "pods")

    def __init__(self, pod: Mapping[str, Any]) -> None:
        spec, status = pod.get("spec") or {}, pod.get("status") or {}
        super().__init__()
        self.update(
            metadata={name: value for name, value in pod["metadata"].items() if name in _METADATA},
            spec={
                "containers": [_container(one) for one in spec.get("containers") or ()],
                "initContainers": [
                    _container(one) for one in spec.get("initContainers") or () if _stays(one)
                ],
            },
            status={
                "phase": status.get("phase", ""),
                "startTime": status.get("startTime"),
                "podIPs": [{"ip": one.get("ip")} for one in status.get("podIPs") or ()],
                "conditions": [one for one in status.get("conditions") or () if one.get("type") == "Ready"],
                "containerStatuses": [_state(one) for one in status.get("containerStatuses") or ()],
                "initContainerStatuses": [_state(one) for one in status.get("initContainerStatuses") or ()],
            },
        )


def _stays(container: Mapping[str, Any]) -> bool:
    """Whether an init container is one that runs as long as the pod does: a sidecar, as Kubernetes has them."""
    return bool(container.get("restartPolicy") == "Always")


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    ports = [{"containerPort": one.get("containerPort")} for one in container.get("ports") or ()]
    kept: dict[str, Any] = {"name": container.get("name", ""), "ports": ports}
    if kept["name"] == names.SIDECAR:
        kept["args"] = list(container.get("args") or ())
    return kept


def _state(status: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": status.get("name", ""), "state": status.get("state") or {}}
