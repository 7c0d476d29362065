"""Which Service a workload's name means, and how requests to it are addressed. Pure.

In its own namespace a Service goes by its short name, elsewhere by name and namespace: sidecars know both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harness.mesh import RequestWish
from harness.meshes.cluster import objects
from harness.meshes.cluster.settings import Settings

_OF_SYSTEM: Final = ("wasmer", "autowasm-controller")


@dataclass(frozen=True, slots=True)
class Place:
    """A workload: a Service and a Deployment of the same name."""

    name: str
    namespace: str
    near: bool

    @property
    def address(self) -> str:
        """Its name for DNS; with the last dot no search path is tried."""
        return f"{self.name}.{self.namespace}.svc.cluster.local."

    @property
    def host(self) -> str:
        """Its name in requests."""
        return self.name if self.near else f"{self.name}.{self.namespace}"

    def addressed(self, wish: RequestWish) -> RequestWish:
        """A request with the name of whom it goes to, where the scenario gives no other."""
        if any(name.lower() == "host" for name, _value in wish.headers):
            return wish
        return dataclasses.replace(wish, headers=(("host", f"{self.host}:{wish.port}"), *wish.headers))

    def fresh(self, wish: RequestWish) -> RequestWish:
        """A request that must go out on a new connection all the way, where a sidecar would take an old one."""
        wish = self.addressed(wish)
        if wish.source != objects.CLIENT or self.name != objects.DETAILS:
            return wish
        return dataclasses.replace(wish, headers=(*wish.headers, objects.FRESH))


def places(settings: Settings) -> Mapping[str, Place]:
    """All workloads that scenarios may name, by their names."""
    own = [Place(app.name, settings.namespace, near=True) for app in objects.APPS]
    system = [Place(name, settings.system, near=False) for name in _OF_SYSTEM]
    return {place.name: place for place in [*own, *system]}
