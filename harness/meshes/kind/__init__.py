"""A real cluster: kind's, with Istio, two OCI registries and the wasmer chart, on a container engine of this machine.

``Kind`` brings it up and takes it down. What is there is written into a folder of the cache before it is made, under a
lock that dies with its owner: whatever a killed run leaves is found again and removed.
"""

from typing import TYPE_CHECKING, Any, Final

from harness.meshes.kind.options import Options
from harness.services.engine.extra import need as need_packages
from harness.toolchain.programs import RELEASED_KIND

if TYPE_CHECKING:
    from harness.meshes.kind.kind import Kind as Kind

__all__ = ["PROGRAMS", "Kind", "Options", "need_packages"]

PROGRAMS: Final = RELEASED_KIND
"""What it runs of the toolchain on this machine; images that are made need more."""


def __getattr__(name: str) -> Any:
    """Load the mesh (the engine's client, pytest-kind, testcontainers) only where it is used."""
    if name == "Kind":
        from harness.meshes.kind.kind import Kind  # noqa: PLC0415 - see above

        return Kind
    raise AttributeError(name)
