"""A module replaced under load, again and again: how many requests, how many failed, the longest gap."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Final

from bench import apply, modules
from harness.mesh import LoadWish, PushWish
from harness.meshes import local
from harness.toolchain import binaries

ROUNDS: Final = 6


def main(out: Path) -> None:
    """Roll out one version after the other while clients ask without pause."""
    toolchain = binaries.ensure(local.PROGRAMS, lambda _event: None)
    with local.Local(toolchain, lambda _event: None) as mesh:
        images = []
        for number in range(ROUNDS + 1):
            image = f"{mesh.bindings['registry']}/bench/upgrade:{number}"
            mesh.push(PushWish(modules.hello(f"upgrade {number}"), image))
            images.append(image)
        bench = apply.Bench(mesh)
        mesh.apply(apply.autowasm("upgrade", images[0]))
        apply.until("the first version answers", bench.filtered)
        load = mesh.load(LoadWish(apply.ASK, rate=200.0, count=20_000, kept=4, fresh=4, watch=("hello",)))
        seconds = [_roll(mesh, image) for image in images[1:]]
        result = load.stop()
    notes = {
        "requests": result.sent,
        "failed": result.failed,
        "longest_gap_s": round(result.longest_gap.seconds, 4) if result.longest_gap else None,
    }
    out.write_text(
        json.dumps([{"name": "upgrade under load: apply to Synced", "seconds": seconds, "notes": notes}])
    )


def _roll(mesh: local.Local, image: str) -> float:
    began = time.perf_counter()
    stored = mesh.apply(apply.autowasm("upgrade", image))
    wanted = stored["metadata"]["generation"]
    target = apply.ObjectRef("wasm.tcm.io/v1alpha1", "AutoWasm", "default", "upgrade")

    def synced() -> bool:
        status = (mesh.get(target) or {}).get("status") or {}
        return status.get("observedGeneration") == wanted and status.get("phase") == "Synced"

    apply.until(f"{image} is synced", synced)
    took = time.perf_counter() - began
    time.sleep(1.0)  # the load goes on over the new version before the next one comes
    return took


if __name__ == "__main__":
    main(Path(sys.argv[1]))
