"""Custom sections that the host or we read: ``name`` (rule 4 of the host) and ``producers``.

Sources: WebAssembly core specification, Name Section; tool-conventions, ProducersSection.md; for what the
host tolerates proxy-wasm-cpp-host, src/bytecode_util.cc (getFunctionNameIndex).
"""

from __future__ import annotations

from typing import Final

from autowasm.abi import binary
from autowasm.abi.reader import Malformed, Reader

_MOST_ENTRIES: Final = 200_000
"""Names that are read at most: a map longer than that is taken as good, so that reading it stays quick."""


def check_functions(module: bytes, section: binary.Section) -> None:
    """Walk the function names as the host does when it loads a module.

    Raises:
        Malformed: the host would call the module corrupted.
    """
    body = Reader(module, section.offset, section.offset + section.size)
    body.name("custom section name")
    while not body.at_end:
        body.entry()
        kind = body.byte("subsection")
        part = body.part(body.u32("subsection size"), "subsection")
        if kind == 1:
            _walk(part)


def _walk(part: Reader) -> None:
    entries = part.count(2**32, "function names")
    for _ in range(min(entries, _MOST_ENTRIES)):
        part.u32("function index")
        part.take(part.u32("length of a function name"), "function name")
    if entries <= _MOST_ENTRIES and not part.at_end:
        raise Malformed(part.offset, "the function names must fill their subsection")


def producers(module: bytes, parsed: binary.Module) -> dict[str, tuple[str, ...]]:
    """Who made the module, as ``{"language": ("Rust",), ...}``; empty where nobody says."""
    section = parsed.custom("producers")
    if section is None:
        return {}
    body = Reader(module, section.offset, section.offset + section.size)
    try:
        body.name("custom section name")
        return dict(_field(body) for _ in range(body.count(16, "fields")))
    except Malformed:
        return {}  # a courtesy of compilers, that no host reads


def _field(body: Reader) -> tuple[str, tuple[str, ...]]:
    name, values = body.name("field"), []
    for _ in range(body.count(256, "values")):
        values.append(body.name("value"))
        body.name("version")
    return name, tuple(values)
