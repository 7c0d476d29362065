"""The samples by name: ``good/hello-v1`` is ``wasm_samples/good/hello-v1.wat``, assembled when asked for.

A sample is WAT, Wasm, or the bytes of a broken module in hexadecimal digits with ``#`` comments; or a filter in a
language that must be compiled, such as ``c/auth``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.samples import compiled
from harness.sim import vm


class UnknownSample(ValueError):
    """There is no sample of this name; the message names what is near."""


def _hexadecimal(data: bytes) -> bytes:
    lines = (line.partition("#")[0] for line in data.decode("utf-8").splitlines())
    return bytes.fromhex(" ".join(lines))


_READ: Final[dict[str, Callable[[bytes], bytes]]] = {
    ".wat": lambda data: vm.assemble(data.decode("utf-8")),
    ".wasm": bytes,
    ".hex": _hexadecimal,
}


def read(path: Path) -> bytes:
    """A module from a file, by the kind of file that its name says; bytes as they are where it says none.

    Raises:
        ValueError: the text cannot be assembled.
        OSError: the file cannot be read.
    """
    try:
        return _READ.get(path.suffix, bytes)(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


@dataclass(frozen=True, slots=True)
class Samples:
    """A folder of samples, in folders by kind."""

    root: Path

    def names(self) -> list[str]:
        """The samples that are there as they are: folder and name without the ending."""
        return sorted(
            path.relative_to(self.root).with_suffix("").as_posix()
            for path in self.root.glob("*/*")
            if path.suffix in _READ
        )

    def compiled(self) -> list[str]:
        """The samples that a compiler makes, where it is installed."""
        return compiled.names(self.root)

    def path(self, name: str) -> Path:
        """The file of a sample.

        Raises:
            UnknownSample: there is none.
        """
        known = self.names()
        if name in known:
            return next(p for p in self.root.glob(f"{name}.*") if p.suffix in _READ)
        if source := compiled.source(self.root, name):
            return source
        known += self.compiled()
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise UnknownSample(f"no sample {name!r} in {self.root.name}{hint}")

    def module(self, name: str) -> bytes:
        """The bytes of a sample.

        Raises:
            UnknownSample: there is none.
            ValueError: its text cannot be assembled.
            NoCompiler: it must be compiled, and there is no compiler for it here.
            BuildFailed: its compiler refuses it.
        """
        path = self.path(name)
        return read(path) if path.suffix in _READ else compiled.module(self.root, name)
