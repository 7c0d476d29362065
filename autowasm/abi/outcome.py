"""What goes into a dry run and what comes out of it: values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from autowasm import limits

NEWEST: Final = (1, 40)
"""The newest Envoy that was measured."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the host hands a module when it starts: bytes as they are, never parsed.

    ``environment`` holds names with their values (vm_config.environment_variables); a name stands once.
    ``capabilities`` are the names of what the module may call and be called with, such as "proxy_log",
    "proxy_on_request_headers" or "fd_write" (capability_restriction_config); none means all.
    """

    vm_id: str = ""
    vm: bytes = b""
    plugin: bytes = b""
    root_id: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    capabilities: frozenset[str] = frozenset()

    def allows(self, capability: str) -> bool:
        """Whether the module has this capability."""
        return not self.capabilities or capability in self.capabilities


@dataclass(frozen=True, slots=True)
class Host:
    """Which host a run takes after: the ABI that it speaks with the module, and the Envoy that it is part of."""

    abi: str
    envoy: tuple[int, int] = NEWEST

    def has(self, since: str) -> bool:
        """Whether this Envoy has what came with that one ("1.39"); empty is what every one has."""
        return not since or self.envoy >= tuple(int(part) for part in since.split("."))


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may use: instructions, calls of the host, bytes of memory."""

    fuel: int = limits.DRYRUN_FUEL
    calls: int = 100_000
    memory: int = limits.DRYRUN_MEMORY_BYTES


@dataclass(frozen=True, slots=True)
class End:
    """A call that ends the whole proxy: the rule that it breaks, the facts, and the signal that Envoy gets."""

    rule: str
    message: str
    signal: str


class Compiled(Protocol):
    """Where compiled modules are kept between checks.

    What it gives back is executed: it must be what was given to it under the same key, and nothing else.
    """

    def load(self, key: str) -> bytes | None:
        """What was saved under a key (hexadecimal digits), None where nothing was."""
        ...

    def save(self, key: str, data: bytes) -> None:
        """Keep it, if that is possible."""
        ...


@dataclass(frozen=True, slots=True)
class Fault:
    """What ended a run: the rule's slug, the facts, where, and what Envoy would say.

    ``serving``: the module had started, and a request was under way.
    """

    rule: str
    message: str
    where: str = ""
    envoy_says: str = ""
    serving: bool = False


@dataclass(frozen=True, slots=True)
class Remark:
    """What a run goes on after, and a user should know: the rule's slug, the facts, where."""

    rule: str
    message: str
    where: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. ``guesses`` are questions of the module that only a proxy can answer."""

    fault: Fault | None
    logs: tuple[str, ...] = ()
    guesses: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()
