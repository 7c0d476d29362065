"""Reads what the rules need from a Wasm binary: a strict parser of its outer structure, with byte offsets.

Source: WebAssembly core specification 3.0, "Binary Format". It reads sections, types, imports, exports and
the numbers of things; bodies of functions, initialisers and data are left to the engine that compiles them.
On any bytes at all it ends in time linear in their number, with a ``Module`` or with ``Malformed``; nothing
is ever allocated on the word of a length field. It does not know Proxy-Wasm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from autowasm.abi import constant, reader, types
from autowasm.abi.reader import Malformed, Reader

MAGIC: Final = b"\x00asm"
VERSION: Final = b"\x01\x00\x00\x00"
COMPONENT: Final = b"\x0d\x00\x01\x00"
"""The version field of a component: pre-standard version 13, layer 1 (component-model, Binary.md)."""

Kind = Literal["func", "table", "memory", "global", "tag"]
KINDS: Final[tuple[Kind, ...]] = ("func", "table", "memory", "global", "tag")

# Section ids in the order that the specification demands; 0 (custom) may stand anywhere.
_ORDER: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 13: 6, 6: 7, 7: 8, 8: 9, 9: 10, 12: 11, 10: 12, 11: 13}
SECTION_NAMES: Final = (
    "custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code",
    "data", "data count", "tag",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its id, where its content is and how many bytes it has; ``name`` of a custom one."""

    id: int
    offset: int
    size: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Import:
    """An import. ``type`` is what it demands: a signature, limits, or the type of a global."""

    module: str
    name: str
    kind: Kind
    type: types.Func | types.Limits | str
    offset: int

    @property
    def full(self) -> str:
        """Both names, as hosts print them."""
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True)
class Export:
    """An export: the index counts imports of its kind first."""

    name: str
    kind: Kind
    index: int
    offset: int


@dataclass(slots=True)
class Module:
    """What was read. ``functions`` holds the type index of each function, imported ones first."""

    size: int
    signatures: list[types.Func | None] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)
    memories: list[types.Limits] = field(default_factory=list)
    globals: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    table_limits: list[types.Limits] = field(default_factory=list)
    exports: list[Export] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    start: int | None = None

    def signature(self, function: int) -> types.Func | None:
        """The type of a function by index, None where the index or its type is out of range."""
        if function >= len(self.functions) or self.functions[function] >= len(self.signatures):
            return None
        return self.signatures[self.functions[function]]

    def exported(self, name: str) -> types.Func | None:
        """The type of the function that is exported under this name."""
        for export in self.exports:
            if export.name == name and export.kind == "func":
                return self.signature(export.index)
        return None

    def custom(self, name: str) -> Section | None:
        """The first custom section of this name."""
        return next((s for s in self.sections if s.id == 0 and s.name == name), None)


def parse(module: bytes) -> Module:
    """Read a module.

    Raises:
        Malformed: at which offset which rule of the format is broken.
    """
    source = Reader(module)
    if source.take(4, "magic") != MAGIC:
        raise Malformed(0, f"magic must be 00 61 73 6d, found {module[:4].hex(' ')}")
    version = source.take(4, "version")
    if version != VERSION:
        raise Malformed(4, f"version must be 01 00 00 00, found {version.hex(' ')}")
    result = Module(len(module))
    last = 0
    while not source.at_end:
        last = _section(source, result, last)
    return result


def is_component(module: bytes) -> bool:
    """Whether the header is a component's (what compilers write for WASI preview 2)."""
    return module[:8] == MAGIC + COMPONENT


def _section(source: Reader, result: Module, last: int) -> int:
    start = source.offset
    source.entry(reader.SECTION)
    identifier = source.byte("section id")
    body = source.part(source.u32("section size"), f"section {identifier}")
    if identifier == 0:
        offset = body.offset
        result.sections.append(Section(0, offset, body.left, body.name("custom section name")))
        return last
    if identifier not in _ORDER:
        raise Malformed(start, f"section id must be 0 to 13, found {identifier}")
    if _ORDER[identifier] <= last:
        raise Malformed(start, f"section {SECTION_NAMES[identifier]} must come once and in order")
    result.sections.append(Section(identifier, body.offset, body.left))
    reads = _READ.get(identifier)
    if reads is not None:
        reads(body, result)
        if not body.at_end:
            raise Malformed(body.offset, f"section {SECTION_NAMES[identifier]} must end with its last entry")
    return _ORDER[identifier]


def _types(body: Reader, result: Module) -> None:
    for _ in range(body.count(reader.MOST_TYPES, "types")):
        result.signatures.extend(types.recursive(body))
        if len(result.signatures) > reader.MOST_TYPES:
            raise Malformed(body.offset, f"a module must have at most {reader.MOST_TYPES} types")


def _imports(body: Reader, result: Module) -> None:
    for _ in range(body.count(reader.MOST_IMPORTS, "imports")):
        offset = body.offset
        module, name = body.name("import module"), body.name("import name")
        kind = _kind(body)
        result.imports.append(Import(module, name, kind, _import_type(body, result, kind), offset))


def _import_type(body: Reader, result: Module, kind: Kind) -> types.Func | types.Limits | str:
    if kind in ("func", "tag"):
        if kind == "tag" and body.byte("tag attribute") != 0:
            raise Malformed(body.offset - 1, "a tag's attribute must be 0")
        offset = body.offset
        index = body.u32("type index")
        if index >= len(result.signatures):
            raise Malformed(offset, f"type index must be below {len(result.signatures)}, found {index}")
        if kind == "func":
            result.functions.append(index)
        return result.signatures[index] or "a type that is no function's"
    if kind == "memory":
        result.memories.append(types.limits(body))
        return result.memories[-1]
    if kind == "table":
        return _table(body, result)
    result.globals.append(types.global_(body))
    return result.globals[-1]


def _functions(body: Reader, result: Module) -> None:
    result.functions.extend(
        body.u32("type index") for _ in range(body.count(reader.MOST_FUNCTIONS, "functions"))
    )


def _memories(body: Reader, result: Module) -> None:
    for _ in range(body.count(reader.MOST_MEMORIES, "memories")):
        result.memories.append(types.limits(body))


def _tables(body: Reader, result: Module) -> None:
    for _ in range(body.count(reader.MOST_TABLES, "tables")):
        if body.peek() != 0x40:
            _table(body, result)
            continue
        if body.take(2, "table with an initialiser") != b"\x40\x00":
            raise Malformed(body.offset - 1, "a table with an initialiser must begin with 40 00")
        _table(body, result)
        constant.skip(body)


def _table(body: Reader, result: Module) -> str:
    element, held = types.table(body)
    result.tables.append(element)
    result.table_limits.append(held)
    return element


def _globals(body: Reader, result: Module) -> None:
    for _ in range(body.count(reader.MOST_GLOBALS, "globals")):
        result.globals.append(types.global_(body))
        constant.skip(body)


def _exports(body: Reader, result: Module) -> None:
    seen: set[str] = set()
    for _ in range(body.count(reader.MOST_EXPORTS, "exports")):
        offset = body.offset
        export = Export(body.name("export name"), _kind(body), body.u32("export index"), offset)
        if export.name in seen:
            raise Malformed(offset, f"an export's name must be unique, found {export.name!r} again")
        seen.add(export.name)
        result.exports.append(export)


def _start(body: Reader, result: Module) -> None:
    result.start = body.u32("start function")


def _kind(body: Reader) -> Kind:
    offset = body.offset
    number = body.byte("kind")
    if number >= len(KINDS):
        raise Malformed(offset, f"kind must be 0 to {len(KINDS) - 1}, found {number}")
    return KINDS[number]


_READ: Final[dict[int, Callable[[Reader, Module], None]]] = {
    1: _types,
    2: _imports,
    3: _functions,
    4: _tables,
    5: _memories,
    6: _globals,
    7: _exports,
    8: _start,
}
