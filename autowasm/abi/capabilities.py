"""Capabilities: what a plugin's configuration lets a module call, and be called with.

Source: proxy-wasm-cpp-host, src/wasm.cc (registerCallbacks, getFunctions) and include/proxy-wasm/exports.h
(the stubs). A capability is named as the function, without its module; entry points and allocators are none.
"""

from __future__ import annotations

from autowasm.abi.tables import Status, WasiErrno

_ALLOCATOR = "proxy_on_memory_allocate"


def of_import(full: str) -> str | None:
    """The capability behind an imported function "module.name", None where it is always given."""
    module, _, name = full.partition(".")
    if module == "env":
        return name if name.startswith("proxy_") else None
    return name


def of_export(name: str) -> str | None:
    """The capability behind a callback, None where the host always looks it up."""
    return name if name.startswith("proxy_") and name != _ALLOCATOR else None


def denied(full: str) -> tuple[str, int]:
    """What the host logs, and what it answers, in place of a function that is not given."""
    if full.startswith("env."):
        words = f"Attempted call to restricted proxy-wasm capability: {full.partition('.')[2]}"
        return words, Status.INTERNAL_FAILURE
    return f"Attempted call to restricted WASI capability: {full.partition('.')[2]}", WasiErrno.NOTCAPABLE
