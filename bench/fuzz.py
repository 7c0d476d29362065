"""Fuzzes the check: ``python -m bench.fuzz --seconds 60``. Reports executions, crashes, the slowest input, memory.

Inputs are the samples, the cases and the corpus under tests/cases/abi, changed at random: bytes flipped, cut out,
put in, numbers replaced by hostile ones, sections doubled, moved and taken from other modules. Inputs that gave a
report nobody had seen yet are changed further. Each input is checked as a user would, dry run included,
under a small budget; the report must be whole, in order and fit the schema's keys.

The checks run in a process of their own that writes down each input before it is used. If that process dies or hangs,
the input is kept as a crash, and another process goes on.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import click

from autowasm.abi import catalogue, check, outcome
from harness import samples

ROOT: Final = Path(__file__).parents[1]
SEEDS: Final = ("wasm_samples", "tests/cases/abi")
BUDGET: Final = outcome.Budget(fuel=1_000_000, calls=1_000, memory=64 << 20)
LARGEST: Final = 128 * 1024
HANG_SECONDS: Final = 30.0
KEPT: Final = 4_000
NUMBERS: Final = (
    b"\x00",
    b"\x7f",
    b"\x80\x80\x80\x80\x10",
    b"\xff\xff\xff\xff\x0f",
    b"\x80\x80\x04",
    b"\xff" * 10,
)
_VALUES: Final = re.compile(r"[0-9]+|'[^']*'|\bexport \S+|\bimport \S+|it logged.*")
OPERATORS: Final = bytes(
    [*range(0x12), *range(0x1A, 0x27), *range(0x28, 0x48), 0x6A, 0x6B, 0x71, 0x7F, 0xFC, 0xFD, 0xFE]
)
CONFIGURATIONS: Final = (
    check.Configuration(),
    check.Configuration(plugin=b"conf", vm=b'{"a":1}', root_id="r", environment=(("A", "b"),)),
    check.Configuration(capabilities=frozenset({"proxy_log", "proxy_on_request_headers"})),
)


@dataclass
class Tally:
    """What came of it. ``rules`` are the rules that were found, by how many inputs."""

    executions: int = 0
    seconds: float = 0.0
    crashes: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest_sha256: str = ""
    slowest_size: int = 0
    reports: int = 0
    accepted: int = 0
    peak_memory_mib: int = 0
    rules: dict[str, int] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Take another process's tally in."""
        self.executions += other.executions
        self.accepted += other.accepted
        self.reports = max(self.reports, other.reports)
        self.crashes += other.crashes
        self.peak_memory_mib = max(self.peak_memory_mib, other.peak_memory_mib)
        if other.slowest_s > self.slowest_s:
            self.slowest_s, self.slowest_sha256 = other.slowest_s, other.slowest_sha256
            self.slowest_size = other.slowest_size
        for rule, count in other.rules.items():
            self.rules[rule] = self.rules.get(rule, 0) + count


# --------------------------------------------------------------------------- inputs


def seeds() -> list[bytes]:
    """The modules to begin with: every sample, case and file of the corpus that is no source of a compiler."""
    files = [path for folder in SEEDS for path in sorted((ROOT / folder).rglob("*"))]
    modules = [samples.read(path) for path in files if path.suffix in (".wat", ".hex", ".wasm")]
    return [module for module in modules if len(module) <= LARGEST]


def _flip(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _replace(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] = chance.randrange(256)


def _cut(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.randint(1, 8)]


def _put(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at:at] = chance.randbytes(chance.randint(1, 4))


def _number(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at : at + 1] = chance.choice(NUMBERS)


def _double(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    part = data[at : at + chance.randint(1, 64)]
    to = chance.randrange(len(data))
    data[to:to] = part * chance.randint(1, 4)


def _end(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


CHANGES: Final[tuple[Callable[[bytearray, random.Random], None], ...]] = (
    _flip, _flip, _replace, _replace, _cut, _put, _number, _double, _end,
)  # fmt: skip


def sections(module: bytes) -> list[bytes]:
    """The sections of a module as bytes, as far as they can be told apart."""
    found, at = [], 8
    while at < len(module):
        size, shift, start = 0, 0, at
        at += 1
        while at < len(module) and shift < 35:
            size |= (module[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if module[at - 1] < 0x80:
                break
        at += size
        found.append(module[start:at])
    return found


def _code(data: bytearray, chance: random.Random) -> bool:
    """Change bytes of functions alone, so that the rest stays a module; False where there are none."""
    parts = sections(bytes(data))
    number = next((i for i, part in enumerate(parts) if part[:1] == b"\x0a"), None)
    if number is None or len(parts[number]) < 8:
        return False
    start = 8 + sum(map(len, parts[:number]))
    for _ in range(chance.randint(1, 3)):
        data[chance.randrange(start + 4, start + len(parts[number]))] = chance.choice(OPERATORS)
    return True


def mutant(pool: list[bytes], chance: random.Random) -> bytes:
    """A new input from old ones."""
    base = chance.choice(pool)
    if chance.random() < 0.4 and _code(data := bytearray(base), chance):
        return bytes(data)
    if chance.random() < 0.2:
        own, others = sections(base), sections(chance.choice(pool))
        for _ in range(chance.randint(1, 3)):
            part = chance.choice(own + others) if own or others else b""
            own.insert(chance.randint(0, len(own)), part)
            if chance.random() < 0.5:
                own.pop(chance.randrange(len(own)))
        base = base[:8] + b"".join(own)
    data = bytearray(base)
    for _ in range(min(chance.randint(0, 4) for _ in range(3))):
        if data:
            chance.choice(CHANGES)(data, chance)
    return bytes(data[:LARGEST])


# --------------------------------------------------------------------------- runs


def signature(report: check.Report) -> str:
    """What a report says, without its numbers; empty where the bytes are no module, from which nothing grows."""
    said = [
        (finding.rule, finding.level, _VALUES.sub("", finding.message)[:60]) for finding in report.findings
    ]
    dead = any(rule in ("corrupted", "component") for rule, _, _ in said)
    return "" if dead else repr((report.abi, report.sdk, said[:6]))


def examine(report: check.Report) -> None:
    """A report must be whole and in order."""
    levels = [("error", "warning", "info").index(finding.level) for finding in report.findings]
    assert levels == sorted(levels), report.findings
    assert report.ok == (0 not in levels), report.findings
    assert {finding.rule for finding in report.findings} <= set(catalogue.RULES), report.findings
    json.dumps(report.to_json("x"))


def inside(folder: Path, seconds: float, seed: int) -> None:
    """Check mutants until the time is up, writing each down before, and the tally now and then."""
    chance, pool, seen, tally = random.Random(seed), seeds(), set(), Tally()
    began, count = time.monotonic(), len(seeds())
    with (folder / "input").open("wb", buffering=0) as noted:
        while time.monotonic() - began < seconds:
            module = pool[tally.executions] if tally.executions < count else mutant(pool, chance)
            noted.seek(0)
            noted.truncate()
            noted.write(module)
            took = once(module, chance, tally, seen, pool)
            if took > tally.slowest_s:
                tally.slowest_s, tally.slowest_size = took, len(module)
                tally.slowest_sha256 = hashlib.sha256(module).hexdigest()
                (folder / "slowest").write_bytes(module)
            if tally.executions % 200 == 0:
                _write(folder, tally)
    _write(folder, tally)


def once(module: bytes, chance: random.Random, tally: Tally, seen: set[str], pool: list[bytes]) -> float:
    """One check; its seconds."""
    start = time.monotonic()
    report = check.check(
        module, chance.choice(CONFIGURATIONS), envoy=chance.choice(("1.30", "1.36", "1.40")), budget=BUDGET
    )
    took = time.monotonic() - start
    examine(report)
    tally.executions += 1
    tally.accepted += report.ok
    for rule in {finding.rule for finding in report.findings}:
        tally.rules[rule] = tally.rules.get(rule, 0) + 1
    said = signature(report)
    if said and said not in seen:
        seen.add(said)
        pool.append(module)
        if len(pool) > KEPT:
            pool.pop(chance.randrange(len(pool)))
    tally.reports = len(seen)
    return took


def _write(folder: Path, tally: Tally) -> None:
    tally.peak_memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    draft = folder / "tally.new"
    draft.write_text(json.dumps(asdict(tally)))
    draft.replace(folder / "tally")


def outside(seconds: float, seed: int, keep: Path) -> Tally:
    """Run processes one after the other until the time is up; a dead one leaves its last input as a crash."""
    total, began = Tally(), time.monotonic()
    while (left := seconds - (time.monotonic() - began)) > 0:
        with tempfile.TemporaryDirectory() as text:
            folder = Path(text)
            ended = _process(folder, left, seed)
            tally = folder / "tally"
            if tally.exists():
                total.add(Tally(**json.loads(tally.read_text())))
            if ended:
                total.crashes.append(_keep(folder / "input", keep, ended))
        seed += 1
    total.seconds = round(time.monotonic() - began, 1)
    return total


def _process(folder: Path, seconds: float, seed: int) -> str:
    """One process; how it ended where that was not well."""
    command = [sys.executable, "-m", "bench.fuzz", "--seconds", str(seconds), "--seed", str(seed)]
    process = subprocess.Popen(
        [*command, "--inside", str(folder)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    try:
        _, said = process.communicate(timeout=seconds + HANG_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return "it hung"
    return (
        "" if process.returncode == 0 else (said.strip().splitlines() or [f"exit {process.returncode}"])[-1]
    )


def _keep(source: Path, keep: Path, how: str) -> str:
    data = source.read_bytes() if source.exists() else b""
    keep.mkdir(parents=True, exist_ok=True)
    target = keep / f"{hashlib.sha256(data).hexdigest()[:16]}.wasm"
    target.write_bytes(data)
    return f"{target}: {how}"


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long.")
@click.option("--seed", default=0, show_default=True, help="Where the chance begins.")
@click.option(
    "--keep", default="build/fuzz", show_default=True, type=click.Path(path_type=Path), help="For crashes."
)
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--inside", "folder", type=click.Path(path_type=Path), hidden=True)
def main(seconds: float, seed: int, keep: Path, output: str, folder: Path | None) -> None:
    """Fuzz the check of modules; exit code 1 where something crashed or hung."""
    if folder is not None:
        inside(folder, seconds, seed)
        return
    total = outside(seconds, seed, keep)
    shape: dict[str, Any] = asdict(total)
    if output == "json":
        click.echo(json.dumps(shape, indent=2))
    else:
        for key, value in shape.items():
            shown = (
                ", ".join(f"{k} {v}" for k, v in sorted(value.items())) if isinstance(value, dict) else value
            )
            click.echo(f"{key:<16} {len(value) if key == 'crashes' else shown}")
        for crash in total.crashes:
            click.echo(f"crash: {crash}")
    sys.exit(1 if total.crashes else 0)


if __name__ == "__main__":
    main()
