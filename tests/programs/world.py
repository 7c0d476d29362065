"""A cluster as a user of AutoWasm sees it, with registries: what the tests of the controller share."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import wasmtime
import yaml
from lightkube import ApiError
from lightkube.codecs import from_dict
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition
from lightkube.resources.core_v1 import Namespace, Pod, Secret
from lightkube.types import PatchType

from autowasm import serving
from autowasm.digest import Digest
from autowasm.istio import crd, install
from autowasm.istio.envoyfilter import Install
from autowasm.kube.kinds import AutoWasm, EnvoyFilter
from autowasm.net import session
from autowasm.oci.reference import Reference
from autowasm.registry.client import Registry
from autowasm.registry.credentials import Credentials
from harness.toolchain import binaries
from tests.programs import apiserver, controller_process
from tests.programs.apiserver import converge

SAMPLES = Path(__file__).parents[2] / "wasm_samples"
USER, PASSWORD = "puller", "correct horse"


def module(name: str) -> bytes:
    """A sample module, assembled."""
    return bytes(wasmtime.wat2wasm((SAMPLES / f"{name}.wat").read_text()))


V1, V2, BAD = module("good/hello-v1"), module("good/hello-v2"), module("bad/missing-import")


class World:
    """The cluster as a user sees it, and a registry."""

    def __init__(self, cluster: apiserver.Cluster, host: str, credentials: Credentials | None = None) -> None:
        self.cluster = cluster
        self.admin = cluster.admin
        self.host = host
        self._credentials = credentials

    def push(self, name: str, data: bytes) -> str:
        """Push a module; the image's reference."""
        image = f"{self.host}/{name}"

        async def scene() -> None:
            async with session.client(timeout=20) as http:
                await Registry(http).push(Reference.parse(image), data, self._credentials)

        asyncio.run(scene())
        return image

    def apply(self, image: str, name: str = "test", **more: Any) -> None:
        """Apply an AutoWasm as kubectl does; ``more`` goes into its spec."""
        source = more.pop("source", {"registry": {"image": image}})
        spec = {
            "filter": {"source": source, **more.pop("filter", {})},
            "selector": {"matchLabels": {"app": "details"}},
            **more,
        }
        obj = AutoWasm(
            apiVersion=f"{crd.GROUP}/{crd.VERSION}",
            kind="AutoWasm",
            metadata={"name": name, "namespace": "default"},
            spec=spec,
        )
        self.admin.apply(obj, field_manager="kubectl", force=True)

    def witness(self, image: str) -> None:
        """Apply an AutoWasm for another workload and wait for it: what was seen before it has been worked on."""
        self.apply(image, name="witness", selector={"matchLabels": {"app": "witness"}})
        self.settled("Synced", "witness")

    def delete(self, name: str = "test") -> None:
        """Delete the AutoWasm."""
        self.admin.delete(AutoWasm, name, namespace="default")

    def status(self, name: str = "test") -> dict[str, Any]:
        """The AutoWasm's status, {} where it has none."""
        return self.admin.get(AutoWasm, name, namespace="default").get("status") or {}

    def condition(self, kind: str, name: str = "test") -> dict[str, Any]:
        """One condition of it."""
        return next((item for item in self.status(name).get("conditions", ()) if item["type"] == kind), {})

    def generation(self, name: str = "test") -> int:
        """The generation of its spec."""
        return self.admin.get(AutoWasm, name, namespace="default")["metadata"]["generation"]

    def phase(self, name: str = "test") -> str:
        """The phase of the present spec, "" while the status is about an older one."""
        status = self.status(name)
        return status["phase"] if status.get("observedGeneration") == self.generation(name) else ""

    def settled(self, phase: str, name: str = "test") -> None:
        """Wait for the phase of the present spec; of one in the mesh, until its pods were looked at, too."""
        converge(lambda: self.phase(name) == phase)
        if phase == "Synced":
            converge(lambda: self.condition("Loaded", name).get("reason") != "Waiting")

    def envoyfilter(self, name: str = "test") -> dict[str, Any] | None:
        """The EnvoyFilter of the name."""
        try:
            return self.admin.get(EnvoyFilter, name, namespace="default")
        except ApiError as fault:
            if fault.status.code == 404:
                return None
            raise

    def digest(self, name: str = "test") -> str:
        """The module that the EnvoyFilter makes sidecars run, "" where there is no EnvoyFilter."""
        found = self.envoyfilter(name)
        return remote(found)["sha256"] if found else ""

    def secret(self, password: str) -> None:
        """Write the pull secret."""
        auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
        config = json.dumps({"auths": {self.host: {"auth": auth}}})
        obj = Secret(
            metadata=ObjectMeta(name="pull", namespace="default"),
            type="kubernetes.io/dockerconfigjson",
            stringData={".dockerconfigjson": config},
        )
        self.admin.apply(obj, force=True)


def remote(envoyfilter: dict[str, Any]) -> dict[str, Any]:
    """The part of our EnvoyFilter that says where the module is."""
    value = envoyfilter["spec"]["configPatches"][0]["patch"]["value"]
    return value["typedConfig"]["value"]["config"]["vmConfig"]["code"]["remote"]


def sha(data: bytes) -> str:
    """The digest as Envoy writes it."""
    return Digest.of(data).hex


@contextlib.contextmanager
def clusters(folder: Path) -> Iterator[apiserver.Cluster]:
    """An API server with Istio's and our CRDs and what our installation puts into it."""
    toolchain = binaries.ensure(["etcd", "kube-apiserver"], lambda _: None)
    with apiserver.running(folder) as (cluster, _):
        istio = toolchain.istio_source("manifests/charts/base/files/crd-all.gen.yaml").read_text()
        for obj in yaml.safe_load_all(istio):
            if obj and obj["spec"]["names"]["kind"] == "EnvoyFilter":
                cluster.admin.create(CustomResourceDefinition.from_dict(obj))
        cluster.admin.create(Namespace(metadata=ObjectMeta(name=controller_process.INSTALL)))
        for obj in install.manifests(Install(controller_process.INSTALL)):
            cluster.admin.create(from_dict(obj))
        for kind in (AutoWasm, EnvoyFilter):
            converge(lambda kind=kind: served(cluster, kind))
        put_pod(cluster, "details-1")
        put_pod(cluster, "witness-1", address="127.0.0.8", labels={"app": "witness"})
        yield cluster


YEARS_AHEAD = "2099-01-01T00:00:00Z"


def put_pod(
    cluster: apiserver.Cluster,
    name: str,
    *,
    address: str = "127.0.0.9",
    began: str = YEARS_AHEAD,
    sidecar: bool = True,
    labels: dict[str, str] | None = None,
) -> None:
    """A running pod as its kubelet has it, with a sidecar since ``began``: before it nobody waits for a fetch."""
    containers = ["details", *(["istio-proxy"] if sidecar else [])]
    ports = {"details": [{"containerPort": 9080}], "istio-proxy": [{"containerPort": 15090}]}
    cluster.admin.apply(
        Pod.from_dict(
            {
                "metadata": {"name": name, "namespace": "default", "labels": labels or {"app": "details"}},
                "spec": {
                    "nodeName": "node",
                    "containers": [{"name": one, "image": one, "ports": ports[one]} for one in containers],
                },
            }
        ),
        field_manager="tests",
    )
    running = {"running": {"startedAt": began}}
    states = [
        {"name": one, "image": one, "imageID": "", "ready": True, "restartCount": 0, "state": running}
        for one in containers
    ]
    status = {
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": "2026-01-01T00:00:00Z",
        "containerStatuses": states,
    }
    patch = {"status": status}
    cluster.admin.patch(Pod.Status, name, patch, namespace="default", patch_type=PatchType.MERGE)


def served(cluster: apiserver.Cluster, kind: Any) -> bool:
    """Whether the API server answers for a kind."""
    with contextlib.suppress(ApiError):
        list(cluster.admin.list(kind, namespace="*"))
        return True
    return False


def cleared(cluster: apiserver.Cluster, host: str) -> World:
    """The cluster without AutoWasms and EnvoyFilters, and a registry."""
    for kind in (AutoWasm, EnvoyFilter):
        for obj in cluster.admin.list(kind, namespace="default"):
            cluster.admin.delete(kind, obj.metadata.name, namespace="default")
    return World(cluster, host)


def wasmer_token(
    cluster: apiserver.Cluster, account: str = "wasmer", namespace: str = controller_process.INSTALL
):
    """A token as a wasmer shows it."""
    return cluster.token(namespace, account, serving.TOKEN_AUDIENCE)


@contextlib.contextmanager
def serving_bytes(data: bytes):
    """A web server on loopback that answers every GET with the bytes; they can be exchanged."""
    contents = [data]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(contents[0])))
            self.end_headers()
            self.wfile.write(contents[0])

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/filter.wasm", contents
        finally:
            server.shutdown()
            thread.join()
