"""A real Istio mesh as plain processes in one user, network, pid and mount namespace.

``namespaces`` makes the place from outside, ``Local`` the mesh inside of it. Neither loads the other.
"""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from harness.meshes.local.local import Local as Local

__all__ = ["PROGRAMS", "Local"]

PROGRAMS: Final = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "istiod",
    "registry",
    "envoy",
    "kubectl",
)
"""What it needs of the toolchain."""


def __getattr__(name: str) -> Any:
    """Load the mesh (netlink, certificates, HTTP) only where it is used: the outer process never does."""
    if name == "Local":
        from harness.meshes.local.local import Local  # noqa: PLC0415 - see above

        return Local
    raise AttributeError(name)
