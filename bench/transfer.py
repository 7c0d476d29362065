"""Push and pull of a 30 MB module, wasmc beside crane: the same registry, the same machine, turn by turn.

Both are measured as programs, start included, with a module of its own for each turn, so that nothing is there
already. Each pushes the image that it makes of a module and pulls it back as a file: crane writes the image's file
system as a tar, out of which tar takes the module, as its users do.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from bench import modules
from harness.toolchain import binaries

BYTES: Final = 30_000_000
MIB: Final = 1 << 20
TURNS: Final = 6
EXPORT: Final = 'set -e; "$0" export "$1" - | tar -xO plugin.wasm > theirs.wasm'
_PATIENCE: Final = 120.0
_WASMC: Final = (sys.executable, "-m", "autowasm.wasmc")


def main(out: Path) -> None:
    """Measure, and write the series."""
    toolchain = binaries.ensure(["registry", "crane"], lambda _event: None)
    with tempfile.TemporaryDirectory() as name, _registry(toolchain.path("registry"), Path(name)) as host:
        bench = _Bench(Path(name), host, toolchain.path("crane"))
        bench.warm_up()
        found: dict[str, list[float]] = {}
        for turn in range(TURNS):
            for what, seconds in bench.turn(turn):
                found.setdefault(what, []).append(seconds)
    notes: dict[str, Any] = {"bytes": BYTES}
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    rows = [{"name": what, "seconds": seconds, "notes": notes} for what, seconds in found.items()]
    rows[0]["notes"] = notes | {"peak_memory_of_any_program_mib": peak}
    out.write_text(json.dumps(rows))


class _Bench:
    """Both programs in one folder, against one registry."""

    def __init__(self, folder: Path, host: str, crane: Path) -> None:
        self._folder = folder
        self._host = host
        self._crane = crane

    def warm_up(self) -> None:
        """Have Python compile what a fresh checkout holds as sources alone; installed packages come compiled."""
        for command in ("push", "pull"):
            self._timed((*_WASMC, command, "--help"))

    def turn(self, turn: int) -> Iterator[tuple[str, float]]:
        """One push and one pull by each, with the same module; who goes first changes."""
        module = _module(turn)
        (self._folder / "filter.wasm").write_bytes(module)
        with tarfile.open(self._folder / "layer.tar", "w") as archive:
            archive.add(self._folder / "filter.wasm", "plugin.wasm")
        theirs, ours = f"{self._host}/theirs/t{turn}:v1", f"{self._host}/ours/t{turn}:v1"
        crane = str(self._crane)
        append = (crane, "append", "--oci-empty-base", "-f", "layer.tar", "-t", theirs)
        pushes = [
            ("push of 30 MB: wasmc", (*_WASMC, "push", ours, "-f", "filter.wasm", "--force")),
            ("push of 30 MB: crane append", append),
        ]
        pulls = [
            ("pull of 30 MB: wasmc", (*_WASMC, "pull", ours, "-o", "back.wasm")),
            ("pull of 30 MB: crane export | tar", ("sh", "-c", EXPORT, crane, theirs)),
            ("pull of 30 MB: crane export, to a tar", (crane, "export", theirs, "back.tar")),
        ]
        starts = [
            ("start of the program: wasmc", (*_WASMC, "push", "--help")),
            ("start of the program: crane", (crane, "append", "--help")),
        ]
        for pair in (pushes, pulls, starts):
            for what, command in pair if turn % 2 else pair[::-1]:
                yield what, self._timed(command)
        for name in ("back.wasm", "theirs.wasm"):
            assert (
                hashlib.sha256((self._folder / name).read_bytes()).digest() == hashlib.sha256(module).digest()
            )

    def _timed(self, command: Sequence[str]) -> float:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        began = time.perf_counter()
        done = subprocess.run(
            command, cwd=self._folder, env=environment, capture_output=True, timeout=_PATIENCE, check=False
        )
        took = time.perf_counter() - began
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}: {done.stderr.decode()}")
        return took


def _module(turn: int) -> bytes:
    """A module that loads, with a custom section that compression makes a third of, as it does code."""
    chance = random.Random(turn)
    words = [chance.randbytes(chance.choice((2, 4, 8, 12))) for _ in range(1024)]
    block = b"".join(chance.choices(words, k=MIB // 6))[
        :MIB
    ]  # further back than deflate looks, so it may recur
    content = b"\x05bench" + (block * (BYTES // len(block) + 1))[:BYTES]
    size = len(content)
    encoded = bytearray()
    while size > 0x7F:
        encoded.append(size & 0x7F | 0x80)
        size >>= 7
    return modules.hello(str(turn)) + b"\x00" + bytes([*encoded, size]) + content


@contextmanager
def _registry(program: Path, folder: Path) -> Iterator[str]:
    """A registry that keeps its blobs in the folder; gives its host."""
    config = folder / "config.yml"
    document = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(folder / "blobs")}},
        "http": {"addr": "127.0.0.1:0"},
        "log": {"level": "info"},
    }
    config.write_text(yaml.safe_dump(document))
    environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
    log = folder / "registry.log"
    with log.open("wb") as output:
        process = subprocess.Popen([program, "serve", config], stdout=output, stderr=output, env=environment)
    try:
        yield _announced(log)
    finally:
        process.terminate()
        process.wait(10)


def _announced(log: Path) -> str:
    """The address that the program says it listens on."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if found := re.search(r"listening on ([0-9.:]+)", log.read_text()):
            return found[1]
        time.sleep(0.02)
    raise SystemExit(f"the registry does not listen: {log.read_text()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
