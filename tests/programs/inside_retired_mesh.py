"""Runs inside of namespaces: takes the filters out of a local mesh, then wasmer and the controllers away for good.

Started by test_retired_mesh.py, which judges what is printed as JSON. With the argument "stay" filters are left in.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from harness.mesh import FaultWish, LoadWish, PushWish, RequestWish
from harness.meshes import local
from harness.meshes.local.local import Local
from harness.samples import Samples
from harness.services import process
from harness.toolchain import binaries
from tests.programs.inside_local_mesh import PROGRAMS, autowasm, until

HELLO = Samples(Path(__file__).parents[2] / "wasm_samples").module("good/hello-v1")
ASK = RequestWish("details", 9080, path="/details/1")


def answer(mesh: Local) -> tuple[int | None, str | None]:
    """Status, and what the filter adds."""
    seen = mesh.request(ASK)
    return seen.status, dict(seen.headers).get("hello")


def new_sidecar(mesh: Local) -> None:
    """The sidecar ends as by an accident; another one starts in its place."""
    mesh.fault(FaultWish("kill", "details", "istio-proxy"))


def gone(mesh: Local) -> None:
    """Nothing of the system runs any more."""
    for workload in ("autowasm-controller", "wasmer"):
        mesh.fault(FaultWish("down", workload))


def scene(mesh: Local, stay: bool) -> dict[str, Any]:
    """What a user sees before, while and after the filters are taken out."""
    image = mesh.push(PushWish(HELLO, f"{mesh.bindings['registry']}/filters/retired:v1")).reference
    mesh.apply(autowasm(image, [9080]))
    seen: dict[str, Any] = {"before": until(lambda: answer(mesh) == (200, "world"))}
    if not stay:
        load = mesh.load(LoadWish(ASK, rate=50))
        seen["retired"] = retired(mesh)
        seen["without"] = until(lambda: answer(mesh) == (200, None))
        result = load.stop()
        seen["load"] = {"sent": result.sent, "failed": result.failed}
    gone(mesh)
    new_sidecar(mesh)
    seen["after"] = until(lambda: answer(mesh)[0] == 200, within=10 if stay else 60)
    return seen


def retired(mesh: Local) -> tuple[int, str]:
    """Exit code and words of the program."""
    command = process.python("autowasm", "retire", f"--kubeconfig={mesh.kubeconfig}", "--settle=2")
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=90)
    return done.returncode, done.stdout


def main() -> None:
    """One mesh."""
    toolchain = binaries.ensure(PROGRAMS, lambda _: None)
    with local.Local(toolchain, lambda _: None) as mesh:
        sys.stdout.write(json.dumps(scene(mesh, "stay" in sys.argv)))


if __name__ == "__main__":
    sys.exit(main())
