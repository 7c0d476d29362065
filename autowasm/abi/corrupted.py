"""What the C++ host says of bytes that are no good module: it looks less closely than the format demands.

Source: proxy-wasm-cpp-host, src/bytecode_util.cc (checkWasmHeader, getAbiVersion) and src/wasm.cc (load).
"""

from __future__ import annotations

from typing import Final

from autowasm.abi import binary
from autowasm.abi.reader import SECTION, Malformed, Reader

PARSE: Final = "Failed to parse corrupted Wasm module"
LOAD: Final = "Failed to load Wasm bytecode"
MARKER: Final = "Missing or unknown Proxy-Wasm ABI version"
_EXPORT_SECTION: Final = 7


def words(module: bytes, markers: frozenset[str]) -> str:
    """The host's message. ``markers`` are the names of the functions that tell an ABI version."""
    if len(module) >= 8 and not module.startswith(binary.MAGIC):
        return PARSE
    try:
        return LOAD if _marked(Reader(module, min(8, len(module))), markers) else MARKER
    except Malformed:
        return PARSE


def _marked(source: Reader, markers: frozenset[str]) -> bool:
    while not source.at_end:
        source.entry(SECTION)
        identifier = source.byte("section id")
        body = source.part(source.u32("section size"), "section")
        if identifier == _EXPORT_SECTION:
            return _exported(body, markers)
    return False


def _exported(body: Reader, markers: frozenset[str]) -> bool:
    for _ in range(body.count(2**32, "exports")):
        name = body.take(body.u32("length of a name"), "name")
        if body.byte("kind") == 0 and name.decode("utf-8", "replace") in markers:
            return True
        body.u32("index")
    return False
