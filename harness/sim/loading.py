"""What the host asks of a module before it runs: the checks in their order, with the host's own words.

Source: proxy-wasm-cpp-host, src/wasm.cc (load, getFunctions) and src/v8/v8.cc (link).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from autowasm.abi import tables
from harness.sim import binary, hosttypes, vm
from harness.sim.plugin import Plugin
from harness.sim.world import Ends

_LOOKED_UP: Final = frozenset(tables.EXPORTS)
_MADE_BY_HOST: Final = ("memory", "table")
_NETWORK: Final = frozenset(("proxy_on_new_connection", "proxy_on_downstream_data", "proxy_on_upstream_data"))
_HTTP: Final = ("proxy_on_request_", "proxy_on_response_")
_ALLOCATORS: Final = ("malloc", "proxy_on_memory_allocate")
NEWEST: Final = "1.40"
FAILED: Final = "Wasm VM failed "
"""What Envoy puts before some of the host's words (Wasm::error)."""


class NotLoaded(Exception):
    """The host refuses the module; the message is what Envoy logs."""


@dataclass(frozen=True, slots=True)
class Code:
    """A module that passed: compiled, its ABI version, the imports, the callbacks that may be called."""

    digest: bytes
    module: vm.Module
    abi: str
    imports: tuple[vm.Demand, ...]
    exports: Mapping[str, str]
    callbacks: frozenset[str]

    @property
    def allocator(self) -> str:
        """The function that the host asks for memory."""
        for name in _ALLOCATORS:
            if name in self.exports:
                return name
        raise NotLoaded(f"{FAILED}Wasm module is missing malloc function.")

    @property
    def notes(self) -> list[str]:
        """What its author should know: it loads, and does nothing of what it is for."""
        tcp = sorted(_NETWORK & self.exports.keys())
        if not tcp or any(name.startswith(_HTTP) for name in self.exports):
            return []
        return [
            f"it is a network filter ({', '.join(tcp)}), which is not simulated: an HTTP filter is never asked"
        ]

    def entries(self) -> list[tuple[str, tuple[int, ...]]]:
        """What runs before anything else."""
        if "_initialize" not in self.exports:
            return [("_start", ())]
        main = ("main", (0, 0)) if "main" in self.exports else ("__main_void", ())
        return [("_initialize", ()), main]

    def check_exports(self) -> None:
        """See that allocator and callbacks have their types.

        Raises:
            NotLoaded: one has not.
        """
        self.allocator  # noqa: B018 - raises where there is none
        for name, signature in self.exports.items():
            expected = tables.EXPORTS.get(name, {}).get(self.abi, signature)
            if signature != expected and not (name == "_start" and "_initialize" in self.exports):
                found = f"want: {_written(expected)}, but the module exports: {_written(signature)}"
                raise NotLoaded(f"Bad function signature for: {name}, {found}")


def load(module: bytes, plugin: Plugin, envoy: str = NEWEST) -> Code:
    """Check what can be checked without running anything.

    Raises:
        NotLoaded: the host of that Envoy version refuses the module.
        Ends: it ends itself over the module.
    """
    abi = _abi(module)
    odd = hosttypes.odd(module)
    try:
        code = vm.Module(module, described=not odd)
    except vm.Unreadable as error:
        raise NotLoaded(f"{FAILED}Failed to load Wasm bytecode: {error}") from error
    if odd:
        raise Ends(f"SIGTRAP: Envoy ends itself: {odd}")
    exports = code.functions(_LOOKED_UP)
    demands = tuple(d for d in code.imports(tables.HOST_FUNCTIONS) if d.kind not in _MADE_BY_HOST)
    for demand in demands:
        _check_import(demand, abi, envoy)
    callbacks = frozenset(n for n in exports if not n.startswith("proxy_on_") or plugin.allows(n))
    return Code(hashlib.sha256(module).digest(), code, abi, demands, exports, callbacks)


def _abi(module: bytes) -> str:
    try:
        abi = binary.abi(module)
        binary.check_names(module)
    except binary.Corrupted as error:
        raise NotLoaded(f"{FAILED}Failed to parse corrupted Wasm module") from error
    if abi is None:
        raise NotLoaded(f"{FAILED}Missing or unknown Proxy-Wasm ABI version")
    return abi


def _check_import(wanted: vm.Demand, abi: str, envoy: str) -> None:
    offered = tables.HOST_FUNCTIONS.get(wanted.name)
    if offered is None or abi not in offered.abis or version(offered.since) > version(envoy):
        raise NotLoaded(f"Failed to load Wasm module due to a missing import: {wanted.name}")
    if offered.signature != wanted.signature:
        raise NotLoaded(
            f"Failed to load Wasm module due to an import type mismatch: {wanted.name}, "
            f"want: {_written(wanted.signature)}, but host exports: {_written(offered.signature)}"
        )


def version(text: str) -> tuple[int, ...]:
    """An Envoy version, the first two parts of it."""
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


def _written(signature: str) -> str:
    """A type in the host's way of writing: "(i32, i32) -> ()" is "i32 i32 -> void"."""
    parameters, _, result = signature.partition(" -> ")
    return f"{parameters.strip('()').replace(',', '') or 'void'} -> {result.replace('()', 'void')}"
