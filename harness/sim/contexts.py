"""What the host keeps for a module: configuration, and for each stream headers, body and an own answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from autowasm.abi.tables import BufferType, MapType
from harness.sim.maps import HeaderMap

VM = 0
"""Number of the VM's own context."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """How a module is configured."""

    name: str = ""
    root_id: str = ""
    vm_id: str = ""
    vm_configuration: bytes = b""
    configuration: bytes = b""


@dataclass(frozen=True, slots=True)
class LocalResponse:
    """An answer that a module gives itself."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    details: str


@dataclass(slots=True)
class Stream:
    """A request and its response. ``maps`` and ``buffers`` hold what is there at the moment."""

    id: int
    maps: dict[MapType, HeaderMap] = field(default_factory=dict)
    buffers: dict[BufferType, bytearray] = field(default_factory=dict)
    local: LocalResponse | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line that a module logged; ``level`` is the ABI's number."""

    level: int
    message: str


@dataclass(slots=True)
class State:
    """What a module has with its host.

    ``current`` is the stream that runs, ``configuring`` whether the plugin is being made or configured,
    ``allowed`` what may be called at the moment (None: everything).
    """

    plugin: Plugin
    abi: str = ""
    configuring: bool = False
    current: Stream | None = None
    allowed: frozenset[str] | None = None
    logs: list[Line] = field(default_factory=list)
    shared: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    clock: int = 0


class Host(Protocol):
    """What host functions need of a host."""

    state: State

    def read(self, pointer: int, size: int) -> bytes | None:
        """Bytes of the module's memory, None outside of it."""
        ...

    def write(self, pointer: int, data: bytes) -> bool:
        """Change the module's memory; False outside of it."""
        ...

    def allocate(self, size: int) -> int:
        """Ask the module's allocator; 0 where it has nothing."""
        ...


HostCall = Callable[..., int | None]
