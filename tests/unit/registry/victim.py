"""Pulls what a hostile registry offers, in a process of its own, and says what each pull cost.

    python -m tests.unit.registry.victim HOST NAME...

Each NAME of ``hostile.ATTACKS`` gives one line of JSON: name, reason, message, seconds, peak (bytes over the
process as it was before). Two tries a request, and servers that drip are left after half a second.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from autowasm import errors
from autowasm.net import pace, retry, session
from autowasm.oci.reference import Reference
from autowasm.registry import client, objects
from tests.unit.net import resolving
from tests.unit.registry import hostile, plays

ROOT = Path(__file__).parents[3]
PATIENCE = retry.Patience(tries=2, base=0.01, ceiling=1.0)
PACE = pace.Pace(answer=0.5, grace=0.5)


@dataclass(frozen=True)
class Suffered:
    """What one attack cost, and what the user saw of it."""

    name: str
    outcome: str
    message: str
    seconds: float
    peak: int


def measure(host: str, names: Iterable[str]) -> Iterator[Suffered]:
    """Run a victim against a hostile registry."""
    command = [sys.executable, "-m", "tests.unit.registry.victim", host, *names]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield Suffered(**json.loads(line))
    assert process.returncode == 0


async def suffer(host: str, name: str) -> tuple[str, str]:
    """One attack: (the reason or "pulled", the message)."""
    async with session.client(timeout=5, least=PACE) as http:
        try:
            if hostile.ATTACKS[name].of_object:
                await objects.fetch(http, f"http://{host}/{name}", PATIENCE)
            else:
                registry = client.Registry(http, patience=PATIENCE)
                await registry.pull(Reference.parse(f"{host}/team/app:{name}"), None)
        except errors.Error as error:
            return error.reason, str(error)
    return "pulled", ""


def _run(host: str, name: str) -> tuple[str, str]:
    with asyncio.Runner(loop_factory=lambda: resolving.Loop(plays.NAMES)) as runner:
        return runner.run(suffer(host, name))


def _memory(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith(field))


def main() -> None:
    """Suffer each attack that is named."""
    host, *names = sys.argv[1:]
    trim = getattr(ctypes.CDLL(None), "malloc_trim", lambda _keep: 0)
    _run(host, "wrong-digest")  # whatever is loaded at the first use
    for name in names:
        gc.collect()
        trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        before, began = _memory("VmRSS"), time.monotonic()
        outcome, message = _run(host, name)
        seconds = round(time.monotonic() - began, 3)
        peak = max(0, _memory("VmHWM") - before)
        print(json.dumps(asdict(Suffered(name, outcome, message, seconds, peak))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
