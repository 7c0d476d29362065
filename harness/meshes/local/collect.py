"""What explains a failure: the sidecar's configuration and counters, istiod's view, objects and logs, as files.

Every part is tried on its own. One that cannot be had leaves a file that says why: a broken mesh is what this is for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml

from harness.mesh import Broken, Refused, RequestWish
from harness.meshes.local import topology
from harness.meshes.local.parts import Parts
from harness.services import envoy, netns, traffic
from harness.services.kube import Api
from harness.services.netns import Namespace

_ENVOY: Final = {
    "envoy-config_dump.json": "/config_dump?include_eds",
    "envoy-stats.txt": "/stats",
    "envoy-clusters.txt": "/clusters",
    "envoy-listeners.txt": "/listeners",
}
_ISTIOD: Final = {"istiod-syncz.json": "/debug/syncz", "istiod-endpointz.json": "/debug/endpointz"}
_ISTIOD_PORT: Final = 18080
_OBJECTS: Final = {
    "autowasms.yaml": ("wasm.tcm.io/v1alpha1", "AutoWasm"),
    "envoyfilters.yaml": ("networking.istio.io/v1alpha3", "EnvoyFilter"),
    "pods.yaml": ("v1", "Pod"),
    "endpointslices.yaml": ("discovery.k8s.io/v1", "EndpointSlice"),
    "events.yaml": ("v1", "Event"),
}


def collect(folder: Path, parts: Parts, api: Api) -> None:
    """Write all of it into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    details = parts.namespaces[topology.DETAILS.name]
    for name, path in _ENVOY.items():
        _write(folder / name, functools.partial(_get, details, envoy.ADMIN_PORT, path))
    here = netns.own()
    for name, path in _ISTIOD.items():
        _write(folder / name, functools.partial(_get, here, _ISTIOD_PORT, path))
    for name, kind in _OBJECTS.items():
        _write(folder / name, functools.partial(_objects, api, *kind))
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    for process in parts.processes:
        _write(logs / f"{process.name}.log", process.log.read_bytes)


def _write(path: Path, get: Callable[[], bytes]) -> None:
    try:
        path.write_bytes(get())
    except (OSError, Broken, Refused) as error:
        path.with_name(f"{path.name}.missing").write_text(f"{error}\n")


def _get(namespace: Namespace, port: int, path: str) -> bytes:
    response = traffic.once(namespace.connect, "127.0.0.1", RequestWish("", port, path=path))
    if response.status != 200:
        raise Refused(response.error or f"status {response.status}: {response.body[:256]!r}")
    return response.body


def _objects(api: Api, api_version: str, kind: str) -> bytes:
    found: list[Any] = [dict(one) for one in api.list(api_version, kind)]
    for one in found:
        one.get("metadata", {}).pop("managedFields", None)
    return yaml.safe_dump_all(found, sort_keys=False).encode()
