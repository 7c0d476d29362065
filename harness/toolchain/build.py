"""Builds one Go program into the cache: once, whoever asks, and whole or not at all."""

from __future__ import annotations

import functools
import hashlib
import platform
import time
from pathlib import Path
from typing import Final

from harness import events
from harness.toolchain import cache, commands, golang, history
from harness.toolchain.programs import GoProgram

_BUILD_SECONDS: Final = 3600.0
_KEY_CHARACTERS: Final = 16


@functools.cache
def _pins(module: str) -> bytes:
    files = (golang.MODULE / module / name for name in ("go.mod", "go.sum", "main.go"))
    return b"\0".join(file.read_bytes() for file in files if file.is_file())


def key(program: GoProgram) -> str:
    """What the built program depends on, as a folder name: the pins of its module, its row, the kind of machine.

    The Go language version is a line of go.mod. Which newer Go compiled it makes no difference to what it
    does, so a Go that was updated rebuilds nothing.
    """
    row = (program.package, program.version, program.tags, program.stamps)
    said = b"\0".join((_pins(program.module), repr(row).encode(), platform.machine().encode()))
    return hashlib.sha256(said).hexdigest()[:_KEY_CHARACTERS]


def place(program: GoProgram) -> Path:
    """Where the built program is, or will be."""
    return cache.root() / "toolchain" / key(program) / program.name


def arguments(program: GoProgram, output: Path) -> list[str]:
    """The arguments of `go` that build the program into a file."""
    flags = " ".join(("-s", "-w", *(f"-X {name}={value}" for name, value in program.stamps)))
    tags = ("-tags", ",".join(program.tags)) if program.tags else ()
    return ["build", "-trimpath", *tags, "-ldflags", flags, "-o", str(output), program.package]


def ensure(program: GoProgram, emit: events.Emit) -> float | None:
    """Build the program unless it is there. Returns the seconds it took, None where there was no need.

    Where another run builds it, this one waits for that and says so. Raises Lacking.
    """
    target = place(program)
    if target.is_file():
        return None
    what = f"builds {program.name} {program.version}"
    with cache.locked(target, what=what, waiting=lambda owner: emit(_waiting(program, owner))):
        if target.is_file():
            return None
        return _build(program, target, golang.ensure(emit), emit)


def _waiting(program: GoProgram, owner: str) -> events.Notice:
    return events.Notice(f"{program.name} is being built by another run: waiting for {owner}")


def _build(program: GoProgram, target: Path, go: golang.Go, emit: events.Emit) -> float:
    last = history.seconds(program.name)
    if last is None:
        about = f"about {program.usual:.0f} s on two cores"
        emit(events.Notice(f"{program.name} {program.version} is built from source, this once: {about}"))
    phase = f"build {program.name}"
    emit(events.PhaseStarted(phase, program.version, last))
    began = time.monotonic()
    with cache.scratch(target) as scratch:
        _compile(program, go, scratch / program.name, target)
        with cache.writing():
            cache.publish(scratch / program.name, target)
    took = time.monotonic() - began
    emit(events.PhaseEnded(phase, took, program.version))
    history.remember(program.name, took)
    return took


def _compile(program: GoProgram, go: golang.Go, output: Path, target: Path) -> None:
    commands.run(
        commands.Command(
            what=f"{program.name}: build of {program.package} with {go}",
            argv=[str(go.path), *arguments(program, output)],
            cwd=golang.MODULE / program.module,
            log=target.with_name(f"{program.name}.log"),
            scratch=output.parent,
            env={**go.environment(), "GOTMPDIR": str(output.parent)},  # beside the cache: /tmp may be small
            timeout=_BUILD_SECONDS,
        )
    )
