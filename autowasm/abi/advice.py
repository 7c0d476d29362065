"""What the host accepts and a user should know: rules that give warnings and infos, never errors.

Source: proxy-wasm-cpp-host, src/wasm.cc (getFunctions, registerCallbacks); Envoy's async_client_impl.h. A
good module of a current SDK gets none of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from autowasm import limits
from autowasm.abi import capabilities, remedies, tables
from autowasm.abi.binary import Section
from autowasm.abi.findings import Finding, Level
from autowasm.abi.subject import Rule, Subject

_MARKER: Final = "proxy_abi_version_"
_MUCH_MEMORY: Final = 64 * limits.MIB
_DEBUG_SHARE: Final = 0.25
_DEBUG_LEAST: Final = 16 * 1024
_DEBUG_NAMES: Final = frozenset({"name", "sourceMappingURL", "external_debug_info"})
_SHOWN: Final = 5
_NETWORK: Final = frozenset(("proxy_on_new_connection", "proxy_on_downstream_data", "proxy_on_upstream_data"))
_HTTP: Final = ("proxy_on_request_", "proxy_on_response_")
_SLIPS_OF_SDKS: Final = frozenset({"proxy_on_grpc_trailing_metadata"})
"""Names that an SDK itself gets wrong, in every module: @solo-io/proxy-runtime leaves out the "receive". That matters
to a module that calls over gRPC."""


def size(subject: Subject) -> Iterator[Finding]:
    """A remote fetch is buffered whole, up to Envoy's limit (async_client_impl.h)."""
    if subject.module.size > limits.ENVOY_BUFFER_BYTES:
        most, found = (of / limits.MIB for of in (limits.ENVOY_BUFFER_BYTES, subject.module.size))
        message = f"size: Envoy buffers {most:.0f} MiB of a fetched module, found {found:.1f} MiB"
        yield _finding("size", subject, message, "module")


def memory_minimum(subject: Subject) -> Iterator[Finding]:
    """Every worker thread of a proxy has a VM of its own, and the base VM is one more."""
    for held in subject.module.memories:
        wanted = held.minimum * held.page
        if _MUCH_MEMORY < wanted <= limits.DRYRUN_MEMORY_BYTES:
            message = f"memory: it should begin small, found {wanted / limits.MIB:.0f} MiB for every worker"
            yield _finding("memory-minimum", subject, message, "memory")


def allocators(subject: Subject) -> Iterator[Finding]:
    """The host looks for malloc first; the specification says that it is the older name."""
    if all(subject.module.exported(name) is not None for name in ("malloc", "proxy_on_memory_allocate")):
        message = (
            "allocator: malloc is taken where both are exported, found it beside proxy_on_memory_allocate"
        )
        yield _finding("two-allocators", subject, message, "export malloc", "info")


def never_called(subject: Subject) -> Iterator[Finding]:
    """A callback of another ABI version, or one that the capabilities leave out, is never called."""
    for export in subject.module.exports:
        versions = tables.EXPORTS.get(export.name)
        where = f"export {export.name}, offset {export.offset}"
        if versions is None or export.kind != "func":
            continue
        if subject.abi is not None and subject.abi not in versions:
            message = (
                f"export {export.name}: it is of ABI {' and '.join(versions)}, the module says {subject.abi}"
            )
            yield _finding("never-called", subject, message, where)
        elif not subject.allows(capabilities.of_export(export.name)):
            message = f"export {export.name}: it is called where it is a capability, found it left out"
            yield _finding("capability", subject, message, where)


def network(subject: Subject) -> Iterator[Finding]:
    """A filter of connections: it is installed as one of HTTP, which asks nothing of it, and the dry run neither."""
    names = [export.name for export in subject.module.exports if export.kind == "func"]
    found = sorted(_NETWORK.intersection(names))
    if found and not any(name.startswith(_HTTP) for name in names):
        message = (
            f"exports: a callback of HTTP streams should be among them, found {' and '.join(found)} and none of those: "
            "a network filter is not run here"
        )
        yield _finding("network-filter", subject, message, f"export {found[0]}")


def not_given(subject: Subject) -> Iterator[Finding]:
    """An imported function that the capabilities leave out is there, and only refuses."""
    for wanted in subject.module.imports:
        if wanted.full in tables.HOST_FUNCTIONS and not subject.allows(capabilities.of_import(wanted.full)):
            words, answer = capabilities.denied(wanted.full)
            message = f"import {wanted.full}: it works where it is a capability, found it left out: it answers {answer}"
            where = f"import {wanted.full}, offset {wanted.offset}"
            yield replace(_finding("capability", subject, message, where), envoy_says=words)


def unknown_names(subject: Subject) -> Iterator[Finding]:
    """A name that looks like a callback and is none: mostly a slip of the pen, and nobody calls it."""
    calls_grpc = any(wanted.name.startswith("proxy_grpc_") for wanted in subject.module.imports)
    for export in subject.module.exports:
        known = export.name in tables.EXPORTS and export.kind == "func"
        if known or not export.name.startswith("proxy_") or export.name.startswith(_MARKER):
            continue
        if export.name in _SLIPS_OF_SDKS and not calls_grpc:
            continue
        near = difflib.get_close_matches(export.name, tables.EXPORTS, n=1, cutoff=0.8)
        like = f", near {near[0]}" if near and near[0] != export.name else ""
        message = (
            f"export {export.name}: callbacks are functions that the ABI names, found a {export.kind}{like}"
        )
        yield _finding("unknown-export", subject, message, f"export {export.name}, offset {export.offset}")


def debug_info(subject: Subject) -> Iterator[Finding]:
    """What only a debugger reads is fetched, hashed and held by every sidecar."""
    found = [section for section in subject.module.sections if section.id == 0 and _is_debug(section)]
    total = sum(section.size for section in found)
    if total < _DEBUG_LEAST or total < _DEBUG_SHARE * subject.module.size:
        return
    names = sorted({section.name for section in found})
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    share = 100 * total / subject.module.size
    message = f"debug info: it should be little, found {share:.0f}% of the module ({total} bytes) in {shown}"
    where = f"custom section {found[0].name}, offset {found[0].offset}"
    yield _finding("debug-info", subject, message, where, "info")


def _is_debug(section: Section) -> bool:
    return section.name in _DEBUG_NAMES or section.name.startswith((".debug_", "reloc..debug_"))


def _finding(rule: str, subject: Subject, message: str, where: str, level: Level = "warning") -> Finding:
    return Finding(rule, level, message, where, remedy=remedies.of(rule, subject.sdk))


TABLE: Final[tuple[Rule, ...]] = (
    size, memory_minimum, allocators, never_called, network, not_given, unknown_names, debug_info,
)  # fmt: skip
