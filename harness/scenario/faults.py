"""What is wrong with a file and where, and how near a mistyped word is to a known one.

A fault is a value, so that one does not hide the next; ``BadFile`` carries all of a file's faults to whoever
asked for the file.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault; ``line`` and ``column`` count from 1, ``key`` is a path like ``steps[2].request.port``."""

    file: str
    line: int
    column: int
    key: str
    message: str

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{self.file}:{self.line}:{self.column}: {key}{self.message}"


class BadFile(Exception):
    """A file that cannot be used, with every fault of it in the file's order. The only error of loading."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


def suggest(word: object, known: Iterable[str]) -> str:
    """``(did you mean "x"?)`` for the nearest known word, else the list of what is known, else nothing."""
    words = list(known)
    near = difflib.get_close_matches(str(word), words, n=1, cutoff=0.6)
    if near:
        return f' (did you mean "{near[0]}"?)'
    return f" (known: {', '.join(sorted(words))})" if words else ""


def dotted(path: Path) -> str:
    """A path as people write it: ``steps[2].request.port``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")
