"""The static rules of the C++ host, in its order: a table of functions from a parsed module to findings.

Source: proxy-wasm-cpp-host, src/wasm.cc (load, registerCallbacks, getFunctions) and src/v8/v8.cc (link);
verdicts that the source leaves open were measured on Envoy 1.40 and are marked so. A rule looks at bytes
alone and runs nothing; remedies are in ``remedies``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from autowasm.abi import advice, binary, capabilities, corrupted, names, reader, remedies, tables, types
from autowasm.abi.findings import Finding
from autowasm.abi.subject import Rule, Subject

_MARKER: Final = "proxy_abi_version_"
_BY_MARKER: Final = {f"{_MARKER}{abi.replace('.', '_')}": abi for abi in tables.ABIS}
MARKERS: Final = frozenset(_BY_MARKER)
"""Names of the functions that tell the ABI's version."""

_ALLOCATORS: Final = ("malloc", "proxy_on_memory_allocate")
_NO_INSTANCE: Final = "Failed to create new Wasm instance"
_HOST_TYPES: Final = ", ".join(sorted(types.HOST_TYPES))
_MOST_MEMORY: Final = 1 << 30
_MOST_ELEMENTS: Final = 10_000_000  # kV8MaxWasmTableSize
_ELEMENTS: Final = ("funcref", "externref", "(ref null func)", "(ref null extern)")
_SAME_BUT_NOT_NULL: Final = ("(ref func)", "(ref extern)")
_UNREACHABLE_MEMORY: Final = "SIGSEGV: Envoy ends itself when the module first calls the host"


def abi_version(module: binary.Module) -> str | None:
    """The ABI that a module says it is of: the first known marker in the order of its exports."""
    return next(
        (_BY_MARKER[e.name] for e in module.exports if e.kind == "func" and e.name in _BY_MARKER), None
    )


def marker(subject: Subject) -> Iterator[Finding]:
    """Rule 3: a function that tells the ABI's version must be exported."""
    if subject.abi is not None:
        return
    near = [e for e in subject.module.exports if e.name.startswith(_MARKER)]
    found = ", ".join(f"{e.kind} {e.name}" for e in near[:3]) or "none"
    yield Finding(
        "abi-version",
        "error",
        f"abi: a function of {', '.join(_BY_MARKER)} must be exported, found {found}",
        f"export {near[0].name}" if near else "exports",
        corrupted.MARKER,
        remedies.of("abi-version", subject.sdk),
    )


def name_section(subject: Subject) -> Iterator[Finding]:
    """Rule 4: function names, where there are any, must be readable."""
    section = subject.module.custom("name")
    if section is None:
        return
    try:
        names.check_functions(subject.bytes, section)
    except reader.Malformed as fault:
        where = f"custom section name, offset {fault.offset}"
        yield Finding(
            "name-section",
            "error",
            fault.message,
            where,
            corrupted.PARSE,
            remedies.of("name-section", subject.sdk),
        )


def imports(subject: Subject) -> Iterator[Finding]:
    """Rules 6 and 7: an imported function must be the host's, with its type; nothing else is given."""
    abi = subject.abi or tables.ABIS[-1]
    for wanted in subject.module.imports:
        if wanted.kind == "func":
            yield from _function(subject, abi, wanted)
        elif wanted.kind == "global":
            yield _missing(
                "global-import", subject, wanted, f"import {wanted.full}: the host gives no globals"
            )
        elif wanted.kind == "tag":
            says = "SIGTRAP: Envoy ends itself"  # measured on 1.40
            yield Finding(
                "host-type", "error", f"import {wanted.full}: the host knows no tags", wanted.full, says
            )


def _function(subject: Subject, abi: str, wanted: binary.Import) -> Iterator[Finding]:
    offered = tables.HOST_FUNCTIONS.get(wanted.full)
    of = wanted.type.parameters + wanted.type.results if isinstance(wanted.type, types.Func) else ()
    odd = [name for name in of if name not in types.HOST_TYPES]
    if odd:  # measured: before the host looks for the function
        message = f"import {wanted.full}: types must be of {_HOST_TYPES}, found {odd[0]}"
        yield Finding("host-type", "error", message, _at(wanted), "SIGTRAP: Envoy ends itself")
    elif offered is None:
        yield _missing("missing-import", subject, wanted, f"import {wanted.full}: no Proxy-Wasm host has it")
    elif abi not in offered.abis:
        message = f"import {wanted.full}: it is of ABI {' and '.join(offered.abis)}, the module says {abi}"
        yield _missing("missing-import", subject, wanted, message)
    elif offered.since and _version(offered.since) > subject.envoy:
        message = (
            f"import {wanted.full}: Envoy has it since {offered.since}, the target is {_shown(subject.envoy)}"
        )
        yield _missing("missing-import", subject, wanted, message)
    elif str(wanted.type) != offered.signature:
        yield _mistyped(subject, wanted, offered.signature)


def _missing(rule: str, subject: Subject, wanted: binary.Import, message: str) -> Finding:
    says = f"Failed to load Wasm module due to a missing import: {wanted.full}"
    return Finding(
        rule, "error", message, _at(wanted), says, remedies.of_import(rule, wanted.full, subject.sdk)
    )


def _mistyped(subject: Subject, wanted: binary.Import, offered: str) -> Finding:
    found = wanted.type.spaced if isinstance(wanted.type, types.Func) else str(wanted.type)
    return Finding(
        "import-type",
        "error",
        f"import {wanted.full}: the host's type is {offered}, the module wants {wanted.type}",
        _at(wanted),
        "Failed to load Wasm module due to an import type mismatch: "
        f"{wanted.full}, want: {found}, but host exports: {_spaced(offered)}",
        remedies.of("import-type", subject.sdk),
    )


def memory(subject: Subject) -> Iterator[Finding]:
    """Rule 8: one memory that the host reaches, of 1 GiB at most; each kind imported once (measured)."""
    module = subject.module
    for kind in ("memory", "table"):
        wanted = [i for i in module.imports if i.kind == kind]
        if len(wanted) > 1:
            message = f"imports: at most one {kind} must be imported, found {len(wanted)}"
            yield Finding("memory", "error", message, _at(wanted[1]), _NO_INSTANCE)
    for held in module.memories:
        if held.minimum * held.page > _MOST_MEMORY:
            size = f"{held.minimum} pages of {held.page} bytes"
            remedy = remedies.of("memory", subject.sdk)
            yield Finding(
                "memory",
                "error",
                f"memory: at most 1 GiB is given, found {size}",
                "memory",
                _NO_INSTANCE,
                remedy,
            )
    if not _reachable(module):
        yield from _unreachable(subject)


def table_types(subject: Subject) -> Iterator[Finding]:
    """What the host makes for an import is of 32 bits and of types that it knows; V8 limits elements (measured)."""
    module, number = subject.module, 0
    for held in module.table_limits:
        if held.minimum > _MOST_ELEMENTS:
            message = f"table: at most {_MOST_ELEMENTS} elements are given, found {held.minimum}"
            yield Finding("table", "error", message, "table", corrupted.LOAD)
    for wanted in module.imports:
        if wanted.kind == "memory" and isinstance(wanted.type, types.Limits) and wanted.type.wide:
            message = f"import {wanted.full}: a memory of 32 bits is given, the module wants 64"
            yield Finding("memory", "error", message, _at(wanted), _NO_INSTANCE)
        if wanted.kind == "table":
            yield from _table(wanted, module.table_limits[number])
            number += 1


def _table(wanted: binary.Import, held: types.Limits) -> Iterator[Finding]:
    element = str(wanted.type)
    if held.wide or element in _SAME_BUT_NOT_NULL:
        message = f"import {wanted.full}: a nullable table of 32 bits is given, the module wants another"
        yield Finding("table", "error", message, _at(wanted), _NO_INSTANCE)
    elif element not in _ELEMENTS:
        message = f"import {wanted.full}: elements must be of funcref or externref, found {element}"
        yield Finding("host-type", "error", message, _at(wanted), "SIGTRAP: Envoy ends itself")


def _reachable(module: binary.Module) -> bool:
    return any(e.kind == "memory" for e in module.exports) or any(i.kind == "memory" for i in module.imports)


def _unreachable(subject: Subject) -> Iterator[Finding]:
    calls = [i.full for i in subject.module.imports if i.kind == "func" and i.full not in tables.CONTEXTLESS]
    message = (
        f"memory: one must be exported or imported, found {len(subject.module.memories)} that are neither"
    )
    remedy = remedies.of("memory", subject.sdk)
    if calls:  # measured: the host goes through a null pointer
        yield Finding("memory", "error", message, calls[0], _UNREACHABLE_MEMORY, remedy)
    else:
        yield Finding("memory", "warning", message, "memory", "", remedy)


def allocator(subject: Subject) -> Iterator[Finding]:
    """Rule 9: malloc, or else proxy_on_memory_allocate; the first one found must have its type (rule 10)."""
    found = [name for name in _ALLOCATORS if subject.module.exported(name) is not None]
    if found:
        return
    yield Finding(
        "allocator",
        "error",
        "allocator: malloc or proxy_on_memory_allocate must be exported, found neither",
        "exports",
        "Wasm module is missing malloc function.",
        remedies.of("allocator", subject.sdk),
    )


def callbacks(subject: Subject) -> Iterator[Finding]:
    """Rule 10: each export that the host looks up must have the host's type."""
    abi = subject.abi or tables.ABIS[-1]
    exported = {e.name: e for e in subject.module.exports if e.kind == "func"}
    for name in sorted(exported):
        expected = tables.EXPORTS.get(name, {}).get(abi)
        found = subject.module.signature(exported[name].index)
        if expected is None or found is None or str(found) == expected:
            continue
        if not _looked_up(name, exported, subject.envoy) or not subject.allows(capabilities.of_export(name)):
            continue
        yield Finding(
            "callback-type",
            "error",
            f"export {name}: its type in ABI {abi} is {expected}, the module's is {found}",
            f"export {name}, offset {exported[name].offset}",
            f"Bad function signature for: {name}, want: {_spaced(expected)}, "
            f"but the module exports: {found.spaced}",
            remedies.of("callback-type", subject.sdk),
        )


def _looked_up(name: str, exported: dict[str, binary.Export], envoy: tuple[int, int]) -> bool:
    """Whether the host gets as far as this name (getFunctions): the reactor's entry hides the command's."""
    since = tables.EXPORTS_SINCE.get(name)
    if since is not None and _version(since) > envoy:
        return False
    if name in ("main", "__main_void"):
        return "_initialize" in exported
    if name == "_start":
        return "_initialize" not in exported
    return name != "proxy_on_memory_allocate" or "malloc" not in exported


def host_types(subject: Subject) -> Iterator[Finding]:
    """Exports must be of types that V8's C API can name (measured: others end the whole Envoy)."""
    for export in subject.module.exports:
        odd = [of for of in _types_of(subject.module, export) if of not in types.HOST_TYPES]
        if odd:
            yield Finding(
                "host-type",
                "error",
                f"export {export.name}: types must be of {_HOST_TYPES}, found {odd[0]}",
                f"export {export.name}, offset {export.offset}",
                "SIGTRAP: Envoy ends itself, and with it every connection of the sidecar",
                "Do not export it: hide the function or global, or strip unused exports.",
            )


def _types_of(module: binary.Module, export: binary.Export) -> tuple[str, ...]:
    if export.kind == "tag":
        return ("tag",)
    if export.kind == "func":
        found = module.signature(export.index)
        return () if found is None else found.parameters + found.results
    held = {"global": module.globals, "table": module.tables}.get(export.kind, [])
    return (held[export.index].removeprefix("mut "),) if export.index < len(held) else ()


TABLE: Final[tuple[Rule, ...]] = (
    marker,
    name_section,
    imports,
    memory,
    table_types,
    allocator,
    callbacks,
    host_types,
    *advice.TABLE,
)


def _at(wanted: binary.Import) -> str:
    return f"import {wanted.full}, offset {wanted.offset}"


def _spaced(signature: str) -> str:
    """A signature of the tables as the host prints it: ``(i32, i32) -> ()`` is ``i32 i32 -> void``."""
    parameters, results = signature.split(" -> ")
    return f"{parameters.strip('()').replace(',', '') or 'void'} -> {results.strip('()') or 'void'}"


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _shown(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
