"""How a plugin is configured: values as Envoy's PluginConfig has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Policy(Enum):
    """What happens to requests when a plugin cannot serve them."""

    CLOSED = "FAIL_CLOSED"
    OPEN = "FAIL_OPEN"
    RELOAD = "FAIL_RELOAD"


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin and its VM. ``capabilities`` None is no restriction, and so is an empty set."""

    name: str = ""
    root_id: str = ""
    vm_id: str = ""
    vm_configuration: bytes = b""
    configuration: bytes = b""
    environment: Mapping[str, str] = field(default_factory=dict)
    policy: Policy = Policy.CLOSED
    capabilities: frozenset[str] | None = None
    stops_on_headers: bool = False
    """Whether a pause at the headers leaves the body coming (allow_on_headers_stop_iteration)."""

    def allows(self, capability: str) -> bool:
        """Whether a function, or a callback, may be used."""
        return not self.capabilities or capability in self.capabilities
