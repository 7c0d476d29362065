"""A real cluster: kind's, with Istio, two OCI registries and the wasmer chart, on a container engine of this machine.

``Kind`` brings it up and takes it down. What is there is written into a folder of the cache before it is made, under a
lock that dies with its owner: whatever a killed run leaves is found again and removed.
"""

import importlib.util
from typing import TYPE_CHECKING, Any, Final

from harness.meshes.kind.options import Options
from harness.toolchain.lacking import Lacking

if TYPE_CHECKING:
    from harness.meshes.kind.kind import Kind as Kind

__all__ = ["MODULES", "Kind", "Options", "need_packages"]

MODULES: Final = ("docker", "pytest_kind", "testcontainers")
"""What it needs of Python packages beside the harness: those of the extra ``kind``."""


def need_packages() -> None:
    """Raise Lacking where a package of the extra is missing; to be called before the mesh or an engine is loaded."""
    missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise Lacking(
            f"kind: packages of the extra must be installed: {', '.join(missing)} missing",
            remedy="pip install 'autowasm[harness,kind]'",
        )


def __getattr__(name: str) -> Any:
    """Load the mesh (the engine's client, pytest-kind, testcontainers) only where it is used."""
    if name == "Kind":
        from harness.meshes.kind.kind import Kind  # noqa: PLC0415 - see above

        return Kind
    raise AttributeError(name)
