"""From apply to live: an AutoWasm beside a WasmPlugin, on the same sidecars of Istio's own agent, turn by turn.

    near, new     one pod, a module that nobody has seen: the pull is in both times, the check in ours
    near, known   one pod, the same image once more: the agent has it, and so has the controller
    far, new      ten pods, 4 MB, the registry 50 ms and 100 Mbit/s away: ten agents pull it, one controller does

Live means that every pod answers with the filter's header. Both are server-side applied by the same client.
"""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench import fleet, modules
from harness.mesh import ObjectRef, PushWish
from harness.meshes import local
from harness.meshes.local import topology
from harness.toolchain import binaries

PODS: Final = 10
NEAR_ROUNDS: Final = 10
FAR_ROUNDS: Final = 4
FAR_BYTES: Final = 4_000_000
FAR_PORT: Final = 5002
LIMIT_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.01

Manifest = Mapping[str, Any]


def autowasm(name: str, image: str, labels: Mapping[str, str]) -> Manifest:
    """Ours."""
    source = {"registry": {"image": image}}
    return {
        "apiVersion": "wasm.tcm.io/v1alpha1",
        "kind": "AutoWasm",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"filter": {"applyPorts": [9080], "source": source}, "selector": {"matchLabels": labels}},
    }


def wasmplugin(name: str, image: str, labels: Mapping[str, str]) -> Manifest:
    """Istio's."""
    return {
        "apiVersion": "extensions.istio.io/v1alpha1",
        "kind": "WasmPlugin",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": labels},
            "url": f"oci://{image}",
            "imagePullPolicy": "IfNotPresent",
            "match": [{"mode": "SERVER", "ports": [{"number": 9080}]}],
        },
    }


Make = Callable[[str, str, Mapping[str, str]], Manifest]
APIS: Final[Mapping[str, Make]] = {"AutoWasm": autowasm, "WasmPlugin": wasmplugin}


class Bench:
    """One mesh with a fleet."""

    def __init__(self, mesh: local.Local, members: Sequence[fleet.Member]) -> None:
        self._mesh = mesh
        self._members = members
        self.found: dict[str, list[float]] = {}

    def near(self, turn: int) -> None:
        """One pod: a new module, then the same again, through each API."""
        for api in _order(turn):
            image = self._push(f"near-{api.lower()}:t{turn}", modules.hello(f"{api} near {turn}"))
            for what in ("new", "known"):
                manifest = APIS[api](f"near-{turn}-{what}", image, {"member": "0"})
                self._note(f"{api}, 1 pod, {what}", manifest, self._members[:1], counted=turn > 0)

    def far(self, turn: int) -> None:
        """All pods, a large module, a slow line."""
        for api in _order(turn):
            module = modules.hello(f"{api} far {turn}") + _ballast(f"{api} {turn}")
            image = self._push(f"far-{api.lower()}:t{turn}", module)
            image = image.replace(self._mesh.bindings["registry"], f"{topology.REGISTRY}:{FAR_PORT}")
            manifest = APIS[api](f"far-{turn}", image, {"app": fleet.APP})
            self._note(f"{api}, {PODS} pods, far registry", manifest, self._members, counted=turn > 0)

    def _push(self, name: str, module: bytes) -> str:
        image = f"{self._mesh.bindings['registry']}/bench/{name}"
        self._mesh.push(PushWish(module, image))
        return image

    def _note(self, what: str, manifest: Manifest, members: Sequence[fleet.Member], *, counted: bool) -> None:
        took = self._time(manifest, members)
        if counted:  # the first of all finds cold caches everywhere
            self.found.setdefault(what, []).append(took)

    def _time(self, manifest: Manifest, members: Sequence[fleet.Member]) -> float:
        meta = manifest["metadata"]
        began = time.perf_counter()
        self._mesh.apply(manifest)
        _all(f"{manifest['kind']} {meta['name']} is live", members, lambda one: _filtered(one) is True)
        took = time.perf_counter() - began
        self._mesh.delete(ObjectRef(manifest["apiVersion"], manifest["kind"], "default", meta["name"]))
        _all("the filter is gone", members, lambda one: _filtered(one) is False)
        return took


def _filtered(member: fleet.Member) -> bool | None:
    """Whether its answer carries the filter's header; None where it is no good answer at all."""
    status, headers = member.get()
    return headers.get("hello") == "world" if status == 200 else None


def _all(what: str, members: Sequence[fleet.Member], condition: Callable[[fleet.Member], bool]) -> None:
    """Ask all of them, side by side, until it is so for each."""
    deadline = time.monotonic() + LIMIT_SECONDS
    late: list[str] = []

    def ask(member: fleet.Member) -> None:
        while not condition(member):
            if time.monotonic() > deadline:
                late.append(member.workload.name)
                return
            time.sleep(_PAUSE_SECONDS)

    threads = [threading.Thread(target=ask, args=(member,)) for member in members]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    if late:
        raise SystemExit(f"{what}: not so after {LIMIT_SECONDS:.0f} s at {', '.join(late)}")


def _order(turn: int) -> list[str]:
    return sorted(APIS, reverse=turn % 2 == 1)


def _ballast(mark: str) -> bytes:
    """A custom section of bytes that do not compress."""
    content = b"\x05bench" + random.Random(mark).randbytes(FAR_BYTES)
    size, encoded = len(content), bytearray()
    while size > 0x7F:
        encoded.append(size & 0x7F | 0x80)
        size >>= 7
    return b"\x00" + bytes([*encoded, size]) + content


@contextlib.contextmanager
def _far_registry(mesh: local.Local) -> Iterator[None]:
    port = mesh.bindings["registry"].rpartition(":")[2]
    command = [sys.executable, "-m", "bench.slow_link", topology.NODE_ADDRESS, str(FAR_PORT), port]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as link:
        try:
            assert link.stdout
            if not link.stdout.readline():
                raise SystemExit("bench.slow_link: must come up, ended")
            yield
        finally:
            link.kill()


def main(out: Path) -> None:
    """Measure and write the series."""
    toolchain = binaries.ensure([*local.PROGRAMS, "pilot-agent"], lambda _event: None)
    with (
        local.Local(toolchain, lambda _event: None) as mesh,
        _far_registry(mesh),
        fleet.running(toolchain, mesh, PODS) as members,
    ):
        bench = Bench(mesh, members)
        for turn in range(NEAR_ROUNDS + 1):
            bench.near(turn)
        for turn in range(FAR_ROUNDS + 1):
            bench.far(turn)
    out.write_text(json.dumps([{"name": n, "seconds": s, "notes": {}} for n, s in bench.found.items()]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
