"""A pod as a value: whom selectors see, and since when its sidecar is the one that it is. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from autowasm.istio import names
from autowasm.kube.names import Key, Object, key_of

_ROUTER: Final = "router"
"""What Istio's agent is told to be in a gateway (pilot-agent proxy router)."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that is there to stay, and has an address.

    Attributes:
        key: namespace and name.
        uid: its own, and no later pod's of its name.
        labels: what selectors look at.
        addresses: its own ones, as ``address`` writes them.
        ports: what its containers declare; declaring a port is optional in Kubernetes, so none may mean any.
        sidecar: whether it has one.
        gateway: whether that one is no sidecar in truth, but a gateway's proxy.
        since: seconds since the epoch at which the present container of the sidecar began.
        trouble: why that container does not run; "" where it runs.
    """

    key: Key
    uid: str
    labels: Mapping[str, str]
    addresses: tuple[str, ...]
    ports: frozenset[int]
    sidecar: bool
    gateway: bool
    since: float
    trouble: str

    @property
    def life(self) -> tuple[str, float]:
        """The present container of the sidecar: another one begins with nothing fetched and nothing loaded."""
        return self.uid, self.since


def read(obj: Object) -> Pod | None:
    """The pod; None for one that does not run, goes, or has no address."""
    metadata, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    addresses = tuple(filter(None, (address(one.get("ip") or "") for one in status.get("podIPs") or ())))
    if status.get("phase") != "Running" or metadata.get("deletionTimestamp") or not addresses:
        return None
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    state = _state(status)
    began = (state.get("running") or {}).get("startedAt") or status.get("startTime")
    return Pod(
        key=key_of(obj),
        uid=str(metadata.get("uid", "")),
        labels=metadata.get("labels") or {},
        addresses=addresses,
        ports=frozenset(_ports(containers)),
        sidecar=any(one.get("name") == names.SIDECAR for one in containers),
        gateway=any(_ROUTER in (one.get("args") or ()) for one in containers),
        since=seconds(began or metadata.get("creationTimestamp") or ""),
        trouble=_trouble(state),
    )


def address(text: str) -> str:
    """An IP address in its one spelling, an IPv4 address that came over IPv6 as itself; "" for what is none."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return ""
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def seconds(text: str) -> float:
    """An RFC 3339 time as seconds since the epoch; 0.0 for what is none."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.timestamp() if moment.tzinfo else 0.0
    except (ValueError, OverflowError):
        return 0.0


def _state(status: Mapping[str, Any]) -> Mapping[str, Any]:
    for kind in ("containerStatuses", "initContainerStatuses"):
        for one in status.get(kind) or ():
            if one.get("name") == names.SIDECAR:
                return one.get("state") or {}
    return {}


def _trouble(state: Mapping[str, Any]) -> str:
    if "running" in state or not state:
        return ""
    stopped = state.get("waiting") or state.get("terminated") or {}
    return str(stopped.get("reason") or "it is not started")


def _ports(containers: list[Mapping[str, Any]]) -> Iterator[int]:
    for container in containers:
        if container.get("name") != names.SIDECAR:
            yield from (
                port["containerPort"] for port in container.get("ports") or () if port.get("containerPort")
            )
