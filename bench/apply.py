"""From apply to the first changed answer: an AutoWasm beside a hand-written EnvoyFilter, in turn.

Both carry a module that no sidecar has seen. The AutoWasm's is in the registry and nowhere else, so its time has the
pull, the check and wasmer's fill in it; the EnvoyFilter's lies ready at wasmer, as one who writes by hand would have
put it on a server before. Both are server-side applied by the same client, and asked for every few milliseconds.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from bench import modules
from harness.mesh import ObjectRef, PushWish, RequestWish
from harness.meshes import local
from harness.toolchain import binaries

ROUNDS: Final = 10
LIMIT_SECONDS: Final = 30.0
ASK: Final = RequestWish(to="details", port=9080, path="/details/0")


def autowasm(name: str, image: str, app: str = "details") -> dict[str, Any]:
    """The documented AutoWasm."""
    return {
        "apiVersion": "wasm.tcm.io/v1alpha1",
        "kind": "AutoWasm",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "filter": {"applyPorts": [9080], "source": {"registry": {"image": image}}},
            "selector": {"matchLabels": {"app": app}},
        },
    }


def by_hand(name: str, digest: str) -> dict[str, Any]:
    """What one who knows Envoy writes without AutoWasm, pointing at a server that has the module."""
    remote = {
        "httpUri": {
            "uri": f"http://wasmer.istio-system:8081/wasm/{digest}",
            "cluster": "outbound|8081||wasmer.istio-system.svc.cluster.local",
            "timeout": "10s",
        },
        "sha256": digest,
    }
    config = {
        "name": name,
        "vmConfig": {"vmId": digest, "runtime": "envoy.wasm.runtime.v8", "code": {"remote": remote}},
    }
    typed = {
        "@type": "type.googleapis.com/udpa.type.v1.TypedStruct",
        "typeUrl": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "value": {"config": config},
    }
    manager = {
        "name": "envoy.filters.network.http_connection_manager",
        "subFilter": {"name": "envoy.filters.http.router"},
    }
    patch = {
        "applyTo": "HTTP_FILTER",
        "match": {
            "context": "SIDECAR_INBOUND",
            "listener": {"portNumber": 9080, "filterChain": {"filter": manager}},
        },
        "patch": {
            "operation": "INSERT_BEFORE",
            "value": {"name": "envoy.filters.http.wasm", "typedConfig": typed},
        },
    }
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"workloadSelector": {"labels": {"app": "details"}}, "configPatches": [patch]},
    }


def until(what: str, condition: Callable[[], bool]) -> float:
    """Ask until it is so; returns the seconds that it took."""
    began = time.perf_counter()
    while time.perf_counter() - began < LIMIT_SECONDS:
        if condition():
            return time.perf_counter() - began
    raise SystemExit(f"{what}: not so after {LIMIT_SECONDS:.0f} s")


class Bench:
    """One mesh, measured."""

    def __init__(self, mesh: local.Local) -> None:
        self._mesh = mesh
        self._registry = mesh.bindings["registry"]

    def filtered(self) -> bool:
        """Whether an answer carries the filter's header."""
        return self._mesh.request(ASK).values("hello") == ("world",)

    def time(self, obj: Mapping[str, Any]) -> float:
        """From apply to the first changed answer; gone again afterwards."""
        until("no filter before", lambda: not self.filtered())
        began = time.perf_counter()
        self._mesh.apply(obj)
        until(f"{obj['kind']} takes effect", self.filtered)
        took = time.perf_counter() - began
        meta = obj["metadata"]
        self._mesh.delete(ObjectRef(obj["apiVersion"], obj["kind"], meta["namespace"], meta["name"]))
        until("the filter goes", lambda: not self.filtered())
        return took

    def ours(self, number: str) -> float:
        """One round of the AutoWasm."""
        image = f"{self._registry}/bench/apply-ours:{number}"
        self._mesh.push(PushWish(modules.hello(f"ours {number}"), image))
        return self.time(autowasm(f"ours-{number}", image))

    def peer(self, number: str) -> float:
        """One round of the EnvoyFilter written by hand."""
        module = modules.hello(f"by hand {number}")
        image = f"{self._registry}/bench/apply-by-hand:{number}"
        self._mesh.push(PushWish(module, image))
        holder = autowasm(f"holder-{number}", image, app="nobody")
        self._mesh.apply(holder)
        url = f"http://wasmer.istio-system:8081/wasm/{modules.sha256(module)}"
        until("wasmer has the module", lambda: _answers(url))
        took = self.time(by_hand(f"by-hand-{number}", modules.sha256(module)))
        self._mesh.delete(ObjectRef(holder["apiVersion"], "AutoWasm", "default", f"holder-{number}"))
        return took


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.read())
    except OSError:
        return False


def main(out: Path) -> None:
    """Measure in turn and write the two series."""
    toolchain = binaries.ensure(local.PROGRAMS, lambda _event: None)
    with local.Local(toolchain, lambda _event: None) as mesh:
        bench = Bench(mesh)
        bench.ours("first"), bench.peer("first")  # finds cold caches everywhere: not counted
        pairs = [(bench.ours(str(number)), bench.peer(str(number))) for number in range(ROUNDS)]
    ours, peer = zip(*pairs, strict=True)
    added = statistics.median(ours) - statistics.median(peer)
    rows = [
        {
            "name": "apply to first changed answer: AutoWasm",
            "seconds": ours,
            "notes": {"added_s": round(added, 4)},
        },
        {"name": "apply to first changed answer: by hand", "seconds": peer, "notes": {}},
    ]
    out.write_text(json.dumps(rows))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
