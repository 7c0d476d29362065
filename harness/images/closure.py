"""Which files of a package some of its modules need, by reading their import statements. Nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path


def needed(root: Path, modules: Sequence[str]) -> list[Path]:
    """The files below ``root`` of these modules and of all that they import there, imports inside functions too.

    A name that is imported from a package is a module of it where there is such a file. Raises FileNotFoundError for a
    module that is not there, SyntaxError for one that cannot be read.
    """
    waiting = list(modules)
    found: set[Path] = set()
    for module in modules:
        if _file(root, module) is None:
            raise FileNotFoundError(f"no module {module} below {root}")
    while waiting:
        module = waiting.pop()
        file = _file(root, module)
        if file is None or file in found:
            continue
        found.add(file)
        waiting += _above(module)
        waiting += _imported(file)
    return sorted(found)


def _file(root: Path, module: str) -> Path | None:
    place = root.joinpath(*module.split("."))
    candidates = (place.with_suffix(".py"), place / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _above(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
