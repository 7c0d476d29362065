"""Types of the functions that a module imports and exports, read from its bytes: some end Envoy, and any reader.

Envoy's engine has a C interface, which names the types of all imports and exports, and knows few of them. The one here
has the same lapse, so it is not asked. Globals and tables are left to the check, which looks at everything. Source:
WebAssembly core specification 3.0, "Binary Format"; that Envoy ends was measured on 1.40.
"""

from __future__ import annotations

from typing import Final

from harness.sim.binary import Corrupted, Reader, sections

_TYPES, _IMPORTS, _FUNCTIONS, _EXPORTS = 1, 2, 3, 7
_KNOWN: Final = frozenset((0x7F, 0x7E, 0x7D, 0x7C, 0x70, 0x6F))
"""i32, i64, f32, f64, funcref, externref."""
_REFERENCES: Final = (0x63, 0x64)
_FUNCTION, _STRUCT, _ARRAY, _GROUP = 0x60, 0x5F, 0x5E, 0x4E
_SUBTYPES: Final = (0x50, 0x4F)
_FUNC, _TABLE, _MEMORY, _GLOBAL, _TAG = range(5)


def odd(module: bytes) -> str:
    """An import or export of a type that ends Envoy, empty where there is none, or the bytes cannot be read."""
    try:
        return _Types(module).odd
    except Corrupted:
        return ""  # the engine says more of it


class _Types:
    """Walks through the sections in their order."""

    def __init__(self, module: bytes) -> None:
        self.odd = ""
        self._types: list[bool] = []  # whether each is known to the host
        self._functions: list[int] = []
        read = {
            _TYPES: self._type_section,
            _IMPORTS: self._imports,
            _FUNCTIONS: self._declared,
            _EXPORTS: self._exports,
        }
        for kind, section in sections(module):
            if kind in read and not self.odd:
                read[kind](section)

    def _type_section(self, section: Reader) -> None:
        for _ in range(section.number()):
            self._recursive(section)

    def _recursive(self, section: Reader) -> None:
        if section.peek() != _GROUP:
            self._type(section)
            return
        section.byte()
        for _ in range(section.number()):
            self._type(section)

    def _type(self, section: Reader) -> None:
        form = section.byte()
        if form in _SUBTYPES:
            for _ in range(section.number()):
                section.number()
            form = section.byte()
        if form == _FUNCTION:
            values = [_value(section) for _ in range(2) for _ in range(section.number())]
            self._types.append(all(values))
        elif form in (_STRUCT, _ARRAY):
            for _ in range(section.number() if form == _STRUCT else 1):
                _value(section)
                section.byte()
            self._types.append(False)
        else:
            raise Corrupted

    def _imports(self, section: Reader) -> None:
        for _ in range(section.number()):
            name = b".".join((section.text(), section.text())).decode("utf-8", "replace")
            kind = section.byte()
            if kind == _FUNC:
                self._functions.append(section.number())
                self._see(f"import {name}", self._functions[-1])
            elif kind == _TAG:
                section.byte()
                section.number()
                self.odd = self.odd or f"import {name} is a tag"
            else:
                step_over(section, kind)

    def _declared(self, section: Reader) -> None:
        self._functions += [section.number() for _ in range(section.number())]

    def _exports(self, section: Reader) -> None:
        for _ in range(section.number()):
            name = section.text().decode("utf-8", "replace")
            kind, index = section.byte(), section.number()
            if kind == _TAG:
                self.odd = self.odd or f"export {name} is a tag"
            elif kind == _FUNC and index < len(self._functions):
                self._see(f"export {name}", self._functions[index])

    def _see(self, what: str, number: int) -> None:
        if number < len(self._types) and not self._types[number]:
            self.odd = self.odd or f"{what} has a type that its engine cannot name"


def _value(section: Reader) -> bool:
    """Step over a type of a value; whether the host knows it."""
    kind = section.byte()
    if kind in _REFERENCES:
        while section.byte() & 0x80:
            pass
    return kind in _KNOWN


def step_over(section: Reader, kind: int) -> None:
    """Go behind the type of an imported table, memory or global."""
    if kind == _GLOBAL:
        _value(section)
        section.byte()
        return
    if kind == _TABLE:
        _value(section)
    flags = section.byte()
    for _ in range(2 if flags & 1 else 1):
        while section.byte() & 0x80:
            pass
    if flags & 8:  # a page size of its own
        section.number()
