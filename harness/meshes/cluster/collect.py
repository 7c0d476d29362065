"""What explains a failure on a cluster: objects, events, logs, sidecars' configuration, istiod's view, as files.

Every part is tried on its own. One that cannot be had leaves a file that says why: a user of few rights, or a broken
cluster, are what this is for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import yaml

from harness.mesh import Broken, Refused
from harness.meshes.cluster import rollout
from harness.meshes.cluster.programs import Kubectl
from harness.meshes.cluster.settings import Settings
from harness.services.kube import Api

_LOG_LINES: Final = 5000
_FILTERS: Final = {
    "autowasms": ("wasm.tcm.io/v1alpha1", "AutoWasm"),
    "envoyfilters": ("networking.istio.io/v1alpha3", "EnvoyFilter"),
}
_OBJECTS: Final = {
    "deployments": ("apps/v1", "Deployment"),
    "pods": ("v1", "Pod"),
    "endpointslices": ("discovery.k8s.io/v1", "EndpointSlice"),
    "events": ("v1", "Event"),
}
_ENVOY: Final = {
    "config_dump.json": "config_dump?include_eds",
    "stats.txt": "stats",
    "clusters.txt": "clusters",
    "listeners.txt": "listeners",
}
_ISTIOD: Final = {"istiod-syncz.json": "/debug/syncz", "istiod-endpointz.json": "/debug/endpointz"}

Get = Callable[[], bytes]


def collect(folder: Path, settings: Settings, api: Api, kubectl: Kubectl) -> None:
    """Write all of it into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Get] = {}
    for namespace, kinds in {settings.system: _OBJECTS, settings.namespace: _FILTERS | _OBJECTS}.items():
        for name, kind in kinds.items():
            parts[f"{namespace}/{name}.yaml"] = functools.partial(_objects, api, kind, namespace)
        for pod in _pods(api, namespace):
            parts |= _of_pod(pod, api, kubectl, inside=namespace == settings.namespace)
    for name, path in _ISTIOD.items():
        command = ["exec", f"--namespace={settings.system}", "deploy/istiod", "--"]
        parts[name] = functools.partial(kubectl, *command, "pilot-discovery", "request", "GET", path)
    with ThreadPoolExecutor(max_workers=8, thread_name_prefix="collect") as pool:
        for name, get in parts.items():
            pool.submit(_write, folder / name, get)


def _of_pod(pod: Mapping[str, Any], api: Api, kubectl: Kubectl, *, inside: bool) -> dict[str, Get]:
    """Logs of every container, and for applications what their sidecars say of themselves."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    base = f"/api/v1/namespaces/{namespace}/pods/{name}/log?tailLines={_LOG_LINES}&container="
    containers = rollout.containers(pod)
    parts: dict[str, Get] = {
        f"{namespace}/{name}/{container}.log": functools.partial(_text, api, f"{base}{container}")
        for container in containers
    }
    if inside and rollout.SIDECAR in containers:
        command = ["exec", f"--namespace={namespace}", name, f"--container={rollout.SIDECAR}", "--"]
        for file, path in _ENVOY.items():
            asked = functools.partial(kubectl, *command, "pilot-agent", "request", "GET", path)
            parts[f"{namespace}/{name}/envoy-{file}"] = asked
    return parts


def _write(path: Path, get: Get) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.write_bytes(get())
    except (OSError, Broken, Refused) as error:
        path.with_name(f"{path.name}.missing").write_text(f"{error}\n")


def _pods(api: Api, namespace: str) -> list[Mapping[str, Any]]:
    try:
        return api.list("v1", "Pod", namespace=namespace)
    except (Broken, Refused):
        return []  # the file of the pods says why


def _objects(api: Api, kind: tuple[str, str], namespace: str) -> bytes:
    found = [dict(one) for one in api.list(*kind, namespace=namespace)]
    for one in found:
        one.get("metadata", {}).pop("managedFields", None)
    return yaml.safe_dump_all(found, sort_keys=False).encode()


def _text(api: Api, path: str) -> bytes:
    answer = api.ask("GET", path)
    if answer.status != 200:
        raise Refused(f"{answer.status} {answer.body[:256].decode(errors='replace')}")
    return answer.body
