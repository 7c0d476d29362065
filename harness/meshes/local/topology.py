"""Who is where in a local mesh: addresses, ports, names. Values only.

The node is 10.99.0.1; workload number i lives in a network namespace of its own at 10.99.<i>.2 and reaches the
others through 10.99.<i>.1. Every mesh has the same addresses: it has its own network namespaces too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

NODE: Final = "local"
NODE_ADDRESS: Final = "10.99.0.1"
SYSTEM: Final = "istio-system"
API_PORT: Final = 6443
ETCD_PORT: Final = 2379
XDS_PORT: Final = 15010


@dataclass(frozen=True, slots=True)
class Workload:
    """A network namespace with something in it; ``labels`` are its Pod's, none where there is no Pod.

    ``of`` names the workload that it is a further replica of.
    """

    name: str
    number: int
    namespace: str = "default"
    pod: str = ""
    account: str = "default"
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    of: str = ""

    @property
    def base(self) -> str:
        """The name of the workload that all its replicas share."""
        return self.of or self.name

    def replica(self, index: int, number: int) -> Workload:
        """One more of it, in a network namespace of its own."""
        pod = f"{self.pod.rpartition('-')[0]}-{index}"
        return dataclasses.replace(self, name=f"{self.name}-{index}", number=number, pod=pod, of=self.name)

    @property
    def address(self) -> str:
        """Its own address."""
        return f"10.99.{self.number}.2"

    @property
    def gateway(self) -> str:
        """The address of the node on its cable: what is served on the node is found there."""
        return f"10.99.{self.number}.1"


DETAILS: Final = Workload(
    name="details",
    number=1,
    pod="details-v1-0",
    account="bookinfo-details",
    labels={"app": "details", "version": "v1"},
    ports={"http": 9080, "http-alt": 9081},
)
CLIENT: Final = Workload(name="client", number=2)
WASMER: Final = Workload(
    name="wasmer",
    number=3,
    namespace=SYSTEM,
    pod="wasmer-0",
    account="wasmer",
    labels={"app": "wasmer"},
    ports={"http": 8081},
)
CONTROLLER: Final = Workload(
    name="controller",
    number=4,
    namespace=SYSTEM,
    pod="autowasm-controller-0",
    account="autowasm-controller",
    labels={"app": "autowasm-controller"},
    ports={"http": 8082},
)
WORKLOADS: Final = (DETAILS, CLIENT, WASMER, CONTROLLER)
BASES: Final = {workload.name: workload for workload in WORKLOADS if workload.pod}
"""Workloads that have Pods, by name."""

REGISTRY: Final = "registry.localhost"
PRIVATE_REGISTRY: Final = "private.localhost"


SERVICES: Final = {
    "details": DETAILS,
    "wasmer": WASMER,
    "wasmer-peers": WASMER,
    "autowasm-controller": CONTROLLER,
}


NAMES: Final = {"autowasm-controller": CONTROLLER.name}
"""What scenarios call workloads, where that is not their name here."""


def hosts(addresses: Mapping[str, Sequence[str]]) -> str:
    """The lines that stand in for DNS: registries, and Services by their names in the cluster.

    ``addresses`` are those of the ready replicas, by workload.
    """
    lines = [f"{NODE_ADDRESS} {REGISTRY} {PRIVATE_REGISTRY} {NODE}"]
    for service, workload in SERVICES.items():
        short = f"{service}.{workload.namespace}"
        names = f"{short} {short}.svc {short}.svc.cluster.local"
        lines += [f"{address} {names}" for address in addresses.get(workload.name, ())]
    return "\n".join(lines) + "\n"
