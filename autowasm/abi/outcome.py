"""What goes into a dry run and what comes out of it: values."""

from __future__ import annotations

from dataclasses import dataclass

from autowasm import limits


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the host hands a module when it starts: bytes as they are, never parsed."""

    vm_id: str = ""
    vm: bytes = b""
    plugin: bytes = b""
    root_id: str = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may use: instructions, calls of the host, bytes of memory."""

    fuel: int = limits.DRYRUN_FUEL
    calls: int = 100_000
    memory: int = limits.DRYRUN_MEMORY_BYTES


@dataclass(frozen=True, slots=True)
class Fault:
    """What ended a run: the rule's slug, the facts, where, and what Envoy would say."""

    rule: str
    message: str
    where: str = ""
    envoy_says: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. ``guesses`` are questions of the module that only a proxy can answer."""

    fault: Fault | None
    logs: tuple[str, ...] = ()
    guesses: tuple[str, ...] = ()
