"""What an AutoWasm asks of pods: which ones, on which ports, which version since when. Pure.

What stands in the mesh is what the EnvoyFilter says. An AutoWasm without one asks for pods, and for no version yet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from autowasm.controller import standing
from autowasm.controller.sidecars import pods
from autowasm.digest import Digest
from autowasm.kube.names import Object

GATEWAY: Final = frozenset({"gateway", "GATEWAY"})
INBOUND: Final = frozenset({"inbound", "SIDECAR_INBOUND"})
"""Contexts, as an AutoWasm and as an EnvoyFilter has them, in which a port is one of the workload's own, and those
of gateways, which no sidecar has."""


@dataclass(frozen=True, slots=True)
class Target:
    """Whom it means, and what they should run.

    Attributes:
        namespace: where the pods are; None for all namespaces.
        labels: what each of them has.
        ports: the workload's ports that the filter is for; none for all, or where ports are not the workload's.
        gateway: whether it is for gateways, and not for sidecars.
        plugin: the filter's name in Envoy's statistics.
        digest: the version that stands in the mesh; None while there is none.
        vm: what tells its VM from others in one sidecar; "" without a version.
        since: seconds since the epoch at which our EnvoyFilter got what it has, in whole seconds.
    """

    namespace: str | None
    labels: Mapping[str, str]
    ports: tuple[int, ...]
    gateway: bool
    plugin: str
    digest: Digest | None = None
    vm: str = ""
    since: float = 0.0

    def means(self, pod: pods.Pod) -> bool:
        """Whether this is one of its pods."""
        here = self.namespace is None or self.namespace == pod.key.namespace
        fits = not pod.sidecar or pod.gateway == self.gateway
        return here and fits and all(pod.labels.get(name) == value for name, value in self.labels.items())

    def misses(self, pod: pods.Pod) -> bool:
        """Whether the pod declares ports, and none of those that the filter is for."""
        return bool(self.ports and pod.ports) and pod.ports.isdisjoint(self.ports)


def read(autowasm: Object | None, envoyfilter: Object | None, root: str, manager: str) -> Target | None:
    """What is asked under a name; None where nothing is.

    Args:
        autowasm: the AutoWasm of the name.
        envoyfilter: the EnvoyFilter of the name, whoever's it is.
        root: the mesh's root namespace: what is there means all namespaces.
        manager: under which name we write.
    """
    try:
        if envoyfilter is not None and standing.ours(envoyfilter):
            return _standing(envoyfilter, root, manager)
        return None if autowasm is None else _wished(autowasm, root)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return None  # an object that is not as it must be reaches nobody; its own conditions say so


def _standing(envoyfilter: Object, root: str, manager: str) -> Target:
    metadata, spec = envoyfilter["metadata"], envoyfilter["spec"]
    matches = [patch["match"] for patch in spec["configPatches"]]
    ports = [match["listener"].get("portNumber") for match in matches if match.get("context") in INBOUND]
    config = spec["configPatches"][0]["patch"]["value"]["typedConfig"]["value"]["config"]
    digest = standing.digest_of(envoyfilter)
    return Target(
        namespace=_scope(metadata["namespace"], root),
        labels=dict((spec.get("workloadSelector") or {}).get("labels") or {}),
        ports=tuple(sorted({port for port in ports if port is not None})),
        gateway=any(match.get("context") in GATEWAY for match in matches),
        plugin=str(config.get("name", "")),
        digest=digest,
        vm=_vm(config["vmConfig"], digest) if digest else "",
        since=_written(metadata, manager),
    )


def _wished(autowasm: Object, root: str) -> Target:
    metadata, spec = autowasm["metadata"], autowasm["spec"]
    context = spec["filter"].get("context") or "inbound"
    return Target(
        namespace=_scope(metadata["namespace"], root),
        labels=dict((spec.get("selector") or {}).get("matchLabels") or {}),
        ports=tuple(spec["filter"].get("applyPorts") or ()) if context in INBOUND else (),
        gateway=context in GATEWAY,
        plugin=metadata["name"],
    )


def _scope(namespace: str, root: str) -> str | None:
    return None if namespace == root else namespace


def _vm(config: Mapping[str, Any], digest: Digest) -> str:
    """Two filters share a VM where all of this is the same (Envoy: proxy-wasm-cpp-host, makeVmKey)."""
    identity = {name: value for name, value in config.items() if name != "code"}
    return f"{digest.hex} {json.dumps(identity, sort_keys=True)}"


def _written(metadata: Mapping[str, Any], manager: str) -> float:
    times = [
        pods.seconds(entry.get("time") or "")
        for entry in metadata.get("managedFields") or ()
        if entry.get("manager") == manager
    ]
    return max(times, default=0.0) or pods.seconds(metadata.get("creationTimestamp") or "")
