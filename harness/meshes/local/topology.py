"""Who is where in a local mesh: addresses, ports, names. Values only.

The node is 10.99.0.1; workload number i lives in a network namespace of its own at 10.99.<i>.2 and reaches the
others through 10.99.<i>.1. Every mesh has the same addresses: it has its own network namespaces too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

NODE: Final = "local"
NODE_ADDRESS: Final = "10.99.0.1"
SYSTEM: Final = "istio-system"
API_PORT: Final = 6443
XDS_PORT: Final = 15010


@dataclass(frozen=True, slots=True)
class Workload:
    """A network namespace with something in it; ``labels`` are its Pod's, none where there is no Pod."""

    name: str
    number: int
    namespace: str = "default"
    pod: str = ""
    account: str = "default"
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)

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

REGISTRY: Final = "registry.localhost"
PRIVATE_REGISTRY: Final = "private.localhost"


def hosts() -> str:
    """The lines that stand in for DNS: registries, and Services by their names in the cluster."""
    lines = [f"{NODE_ADDRESS} {REGISTRY} {PRIVATE_REGISTRY} {NODE}"]
    services = {
        "details": DETAILS,
        "wasmer": WASMER,
        "wasmer-peers": WASMER,
        "autowasm-controller": CONTROLLER,
    }
    for service, workload in services.items():
        short = f"{service}.{workload.namespace}"
        lines.append(f"{workload.address} {short} {short}.svc {short}.svc.cluster.local")
    return "\n".join(lines) + "\n"
