"""Which cluster is meant, where on it the applications go, and what scenarios may do with it. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

BASE: Final = frozenset({"traffic", "kubernetes", "envoy", "istio", "registry", "load", "pods", "outsider"})
"""The capabilities of every cluster."""
RELEASE: Final = "wasmer"
"""The name of the chart's release."""


@dataclass(frozen=True, slots=True)
class Private:
    """A registry that asks for a password: the prefix of its references, and who may log in."""

    registry: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """A cluster.

    ``name`` is what reports call it, ``context`` None for the kubeconfig's current one. Applications of
    ``apps_image`` go into ``namespace``, which is made and removed again where it is ``temporary``; its
    ``namespace_labels`` have sidecars injected. ``registry`` is the prefix of references that this machine and the
    cluster both reach. ``chart`` is that of the release ``wasmer`` in the namespace ``system``, None where it must
    not be touched. ``strict``: nothing but mutual TLS in the namespace. ``stay``: nothing is removed in the end.
    ``own_login``: pushes without credentials use the login of this machine's user.
    """

    name: str
    kubeconfig: Path
    apps_image: str
    registry: str
    context: str | None = None
    namespace: str = "default"
    system: str = "istio-system"
    private: Private | None = None
    chart: Path | None = None
    strict: bool = True
    temporary: bool = False
    stay: bool = False
    own_login: bool = False
    namespace_labels: Mapping[str, str] = field(default_factory=lambda: {"istio-injection": "enabled"})
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def capabilities(self) -> frozenset[str]:
        """What scenarios may require of it."""
        more = {"mtls": self.strict, "private-registry": bool(self.private), "helm": bool(self.chart)}
        return BASE | {name for name, has in more.items() if has}

    @property
    def bindings(self) -> Mapping[str, str]:
        """What scenarios may name."""
        private = self.private or Private("", "", "")
        return {
            "registry": self.registry,
            "private_registry": private.registry,
            "registry_user": private.user,
            "registry_password": private.password,
            "namespace": self.namespace,
        }
