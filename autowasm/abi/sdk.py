"""Recognises the SDK that a module was written with, so that a remedy can name its setting.

A table of fingerprints, most telling first. An unknown SDK is no fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from autowasm.abi import binary, names


@dataclass(frozen=True, slots=True)
class Traits:
    """What the fingerprints look at: exports, imports, custom sections and the producers' words."""

    exports: frozenset[str]
    imports: frozenset[str]
    customs: frozenset[str]
    producers: str

    def produced(self, word: str) -> bool:
        """Whether a producer says this word, in any case."""
        return word in self.producers


FINGERPRINTS: Final[tuple[tuple[str, Callable[[Traits], bool]], ...]] = (
    ("tinygo", lambda t: t.produced("tinygo") or "runtime.alloc" in t.exports or _is_tinygo(t)),
    ("go", lambda t: "go:buildid" in t.customs or t.produced("go cmd/compile")),
    ("rust", lambda t: t.produced("rust")),
    (
        "assemblyscript",
        lambda t: "env.abort" in t.imports or bool({"__new", "__pin", "__retain"} & t.exports),
    ),
    (
        "cpp",
        lambda t: "emscripten_metadata" in t.customs or "emscripten_stack_init" in t.exports or _is_cpp(t),
    ),
    (
        "rust",
        lambda t: {"_initialize", "proxy_on_memory_allocate"} <= t.exports and "__data_end" in t.exports,
    ),
)


def _is_tinygo(traits: Traits) -> bool:
    return {
        "proxy_abi_version_0_2_0",
        "proxy_on_memory_allocate",
        "malloc",
        "calloc",
        "realloc",
    } <= traits.exports


def _is_cpp(traits: Traits) -> bool:
    return {"malloc", "proxy_on_context_create", "proxy_abi_version_0_2_1"} <= traits.exports and (
        "__indirect_function_table" in traits.exports or traits.produced("clang")
    )


def recognise(module: bytes, parsed: binary.Module) -> str | None:
    """The SDK's slug (rust, cpp, go, tinygo, assemblyscript), or None."""
    said = names.producers(module, parsed)
    traits = Traits(
        frozenset(e.name for e in parsed.exports),
        frozenset(i.full for i in parsed.imports),
        frozenset(s.name for s in parsed.sections if s.id == 0),
        " ".join(word for words in said.values() for word in words).lower(),
    )
    return next((slug for slug, fits in FINGERPRINTS if fits(traits)), None)
