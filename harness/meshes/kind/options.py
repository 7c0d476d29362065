"""What can be asked of a kind mesh, and the names that follow from it. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NETWORK: Final = "kind"  # the one that kind puts its nodes on
REGISTRY: Final = "registry.localhost"
PRIVATE_REGISTRY: Final = "private.localhost"
SYSTEM: Final = "istio-system"
PREFIX: Final = "autowasm-"

# kind.x-k8s.io/v1alpha4. Nothing in it is for one node image only. A kubelet refuses version 1 of control groups unless
# it is told otherwise, and there are machines that have no other.
CONFIGURATION: Final = """\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
- role: control-plane
kubeadmConfigPatches:
- |
  kind: KubeletConfiguration
  failCgroupV1: false
"""


@dataclass(frozen=True, slots=True)
class Options:
    """How many clusters (each with its own install), whether they stay after the run, the mesh's name (empty: ours)."""

    clusters: int = 1
    keep: bool = False
    name: str = ""


def cluster_names(mesh: str, count: int) -> tuple[str, ...]:
    """Names of a mesh's clusters: the mesh's own, then numbered ones."""
    return (mesh, *(f"{mesh}-c{number}" for number in range(2, count + 1)))
