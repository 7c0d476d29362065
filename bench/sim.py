"""The simulator's speed and memory on the add-header sample, beside a real Envoy at the same script."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Final

from bench import modules
from harness.fidelity import real
from harness.sim import Filter, batch

_REQUESTS: Final = 20_000
_MANY: Final = 100_000
_SAME: Final = 200
_ROUNDS: Final = 3
_GOAL: Final = 5_000


def _resident() -> int:
    """KiB of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def _speed(loaded: Filter) -> dict[str, Any]:
    seconds, used = [], []
    for _ in range(_ROUNDS):
        began, before = time.perf_counter(), time.process_time()
        for _ in range(_REQUESTS):
            loaded.request()
        seconds.append(time.perf_counter() - began)
        used.append(time.process_time() - before)
    notes = {
        "requests a second": round(_REQUESTS / statistics.median(seconds)),
        "requests a second of one core": round(_REQUESTS / statistics.median(used)),
        "goal": _GOAL,
    }
    return {"name": f"simulator: {_REQUESTS} requests", "seconds": seconds, "notes": notes}


def _memory(loaded: Filter) -> dict[str, Any]:
    """How much is held, tenth by tenth; nothing is kept of a request, so the last is as the second."""
    began, held = time.perf_counter(), []
    for _ in range(10):
        for _ in range(_MANY // 10):
            loaded.request()
        held.append(_resident())
    took = time.perf_counter() - began
    notes = {"KiB resident after each tenth": held, "growth after the first, KiB": held[-1] - held[0]}
    return {"name": f"simulator: {_MANY} requests, memory", "seconds": [took], "notes": notes}


def _beside_envoy(module: bytes, envoy: Path) -> list[dict[str, Any]]:
    """The same script on both, from a module's bytes to the answer."""
    script = {
        "clusters": {"app": [{"status": 200, "headers": [["content-length", "2"]], "body": ["ok"]}]},
        "requests": [{"name": str(number)} for number in range(_SAME)],
    }
    rows = []
    for name, run in (
        ("simulator", lambda: batch.run(module, script)),
        ("Envoy", lambda: real.run(module, script, envoy)),
    ):
        began = time.perf_counter()
        answer = run()
        took = time.perf_counter() - began
        assert [result["status"] for result in answer["results"]] == [200] * _SAME, name
        rows.append({"name": f"{name}: a script of {_SAME} requests", "seconds": [took], "notes": {}})
    return rows


def main(out: Path) -> None:
    """Measure, and write rows."""
    module = modules.hello("sim")
    loaded = Filter.load(module)
    rows = [_speed(loaded), _memory(loaded)]
    envoy = shutil.which("envoy", path=str(Path(sys.executable).parent)) or shutil.which("envoy")
    if envoy is not None:
        rows += _beside_envoy(module, Path(envoy))
    out.write_text(json.dumps(rows), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
