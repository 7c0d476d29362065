"""The mesh of a real cluster, whoever made it: Istio and AutoWasm are there, applications are brought along.

``Cluster`` is what scenarios see; ``Settings`` say which cluster it is and what may be done there.
"""

from typing import Final

from harness.meshes.cluster.cluster import Cluster as Cluster
from harness.meshes.cluster.settings import Settings as Settings

__all__ = ["PROGRAMS", "Cluster", "Settings"]

PROGRAMS: Final = ("kubectl", "helm")
"""What it needs of the toolchain; helm only where the release of the chart may be changed."""
