"""1,000 AutoWasms to all Synced, beside bare server-side applies of 1,000 EnvoyFilters by the same client.

The same program writes both, as many at a time, into a whole mesh; the AutoWasms' time ends when the API server holds
all of them as Synced, so it has their own 1,000 applies, what the controller does, and its statuses in it. One module
for all, and a pod for each to match. Memory is that of the programs after it, resident.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import lightkube

from autowasm.digest import Digest
from autowasm.istio import envoyfilter
from autowasm.istio import spec as specs
from autowasm.kube import connection, kinds, objects
from bench import modules, plugins
from harness.mesh import PushWish
from harness.meshes import local
from harness.meshes.local import topology
from harness.services import kube, login
from harness.toolchain import binaries

COUNT: Final = int(os.environ.get("BENCH_SCALE", "1000"))
AT_ONCE: Final = 8
LIMIT_SECONDS: Final = 300.0

Manifest = Mapping[str, Any]


def main(out: Path) -> None:
    """Measure and write the series."""
    toolchain = binaries.ensure(local.PROGRAMS, lambda _event: None)
    module = modules.hello("scale")
    with local.Local(toolchain, lambda _event: None) as mesh:
        image = f"{mesh.bindings['registry']}/bench/scale:v1"
        mesh.push(PushWish(module, image))
        wanted = [plugins.autowasm(f"scale-{n}", image, {"scale": str(n)}) for n in range(COUNT)]
        bare = [_bare(manifest, Digest.of(module)) for manifest in wanted]
        _pods(mesh.kubeconfig)
        before = _memory()
        took = asyncio.run(_measure(mesh.kubeconfig, bare, wanted))
        after = _memory()
    notes = {f"{name}_mib": {"idle": before[name], "after": after[name]} for name in after}
    rows = [
        {"name": f"{COUNT:,} AutoWasms, apply to all Synced", "seconds": [took[1]], "notes": notes},
        {"name": f"{COUNT:,} EnvoyFilters, bare applies", "seconds": [took[0]], "notes": {}},
    ]
    out.write_text(json.dumps(rows))


def _bare(manifest: Manifest, digest: Digest) -> Manifest:
    """The EnvoyFilter that the controller would write, under a name of its own."""
    metadata = {**manifest["metadata"], "name": f"bare-{manifest['metadata']['name']}"}
    spec = specs.parse({**manifest, "metadata": metadata})
    return envoyfilter.render(spec, digest, envoyfilter.Install(topology.SYSTEM))


async def _measure(kubeconfig: Path, bare: list[Manifest], wanted: list[Manifest]) -> tuple[float, float]:
    async with connection.connect(kubeconfig) as client:
        began = time.perf_counter()
        await _apply(client, kinds.EnvoyFilter, bare)
        applied = time.perf_counter() - began
        for manifest in bare:
            meta = manifest["metadata"]
            await client.delete(kinds.EnvoyFilter, meta["name"], namespace=meta["namespace"])
        began = time.perf_counter()
        synced = asyncio.ensure_future(_synced(client))
        await _apply(client, kinds.AutoWasm, wanted)
        await synced
        return applied, time.perf_counter() - began


def _pods(kubeconfig: Path) -> None:
    api = kube.Api(login.with_kubeconfig(kubeconfig))

    def one(number: int) -> None:
        pod, status = _pod(number)
        api.apply(pod)
        api.patch_status(kube.ref(pod), status)

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        list(pool.map(one, range(COUNT)))
    api.close()


def _pod(number: int) -> tuple[Manifest, Manifest]:
    """A running pod with a sidecar, for one AutoWasm each, and its status; at its address there is nobody."""
    name, address = f"scale-{number}", f"10.98.{number // 250}.{number % 250 + 1}"
    containers = [
        {"name": one, "image": one, "ports": [{"containerPort": 9080}]} for one in ("app", "istio-proxy")
    ]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"scale": str(number)}},
        "spec": {"nodeName": "nowhere", "containers": containers},
    }
    return pod, {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}


async def _apply(client: lightkube.AsyncClient, kind: Any, manifests: list[Manifest]) -> None:
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(manifest: Manifest) -> None:
        async with slots:
            await objects.apply(client, kind, manifest, force=False)

    await asyncio.gather(*map(one, manifests))


async def _synced(client: lightkube.AsyncClient) -> None:
    """Wait until each was seen as Synced. Nobody fetches for these pods, so some say later that theirs are stuck."""
    waited: set[str] = set()
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            async for _, obj in client.watch(kinds.AutoWasm, namespace="*", resource_version="0"):
                if (obj.get("status") or {}).get("phase") == "Synced":
                    waited.add(obj["metadata"]["name"])
                if len(waited) == COUNT:
                    return
    except TimeoutError as fault:
        raise SystemExit(
            f"AutoWasms: must all be Synced after {LIMIT_SECONDS:.0f} s, were {len(waited)}"
        ) from fault


def _memory() -> dict[str, int]:
    """MiB of resident memory of the programs under test, by their modules' names."""
    found: dict[str, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        words = (entry / "cmdline").read_bytes().split(b"\0")
        for name in ("autowasm.wasmer", "autowasm.controller"):
            if name.encode() in words:
                pages = int((entry / "statm").read_text().split()[1])
                found[name.rpartition(".")[2]] = pages * os.sysconf("SC_PAGE_SIZE") >> 20
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
