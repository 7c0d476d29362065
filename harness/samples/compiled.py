"""Compiled samples and their cache: a module is built once for each content of its sources and its compiler."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from harness.samples.compilers import LANGUAGES, Language
from harness.toolchain import cache

_RECIPE: Final = "1"
"""To be raised when a compiler's flags change."""


def names(root: Path) -> list[str]:
    """All samples that must be compiled: folder and name."""
    return sorted(f"{language.folder}/{name}" for language in LANGUAGES for name in _of(root, language))


def _of(root: Path, language: Language) -> Iterator[str]:
    for path in (root / language.folder).glob(f"*{language.suffix}"):
        yield path.parent.name if language.suffix.startswith("/") else path.stem


def source(root: Path, name: str) -> Path | None:
    """The file of a compiled sample, None where there is none of this name."""
    folder, _, base = name.partition("/")
    language = next((each for each in LANGUAGES if each.folder == folder), None)
    return root / folder / f"{base}{language.suffix}" if language and base in _of(root, language) else None


def module(root: Path, name: str) -> bytes:
    """The bytes of a compiled sample, from the cache or built now.

    Raises:
        NoCompiler: there is no compiler for it here.
        BuildFailed: the compiler refuses it.
    """
    folder, _, base = name.partition("/")
    language = next(each for each in LANGUAGES if each.folder == folder)
    sources = _sources(root, language, base)
    digest = hashlib.sha256(f"{_RECIPE}\0{name}\0{language.identity()}".encode())
    for path in sources:
        digest.update(f"\0{path.relative_to(root)}\0".encode() + path.read_bytes())
    built = cache.root() / "samples" / f"{folder}-{base}-{digest.hexdigest()[:24]}.wasm"
    with cache.locked(built, what=f"building {name}"):
        if not built.exists():
            _build(root, language, base, built)
    return built.read_bytes()


def _sources(root: Path, language: Language, base: str) -> list[Path]:
    folder = root / language.folder
    own = folder / f"{base}{language.suffix}"
    found = {own, *(path for path in folder.glob(language.shared) if not path.name.endswith(language.suffix))}
    files = (each for path in found for each in ([path] if path.is_file() else path.rglob("*.*")))
    return sorted(each for each in files if each == own or each.name != Path(language.suffix).name)


def _build(root: Path, language: Language, base: str, built: Path) -> None:
    with cache.scratch(built) as scratch:
        shutil.copytree(root / language.folder, scratch / "source")
        out = scratch / "module.wasm"
        language.build(scratch / "source", base, out)
        cache.write(built, out.read_bytes())
