"""An API server with no cluster behind it: a table of objects, Deployments that are complete at once, agents that lie.

It speaks plain HTTP, as a kubeconfig may say, and does what the harness asks of a real one and nothing more.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import yaml

from harness.observation import LoadResult, Response
from harness.services import agent

KINDS: Final = {
    "/api/v1": {
        "Namespace": "namespaces",
        "Node": "nodes",
        "Pod": "pods",
        "Service": "services",
        "ServiceAccount": "serviceaccounts",
    },
    "/apis/apps/v1": {"Deployment": "deployments"},
    "/apis/coordination.k8s.io/v1": {"Lease": "leases"},
    "/apis/networking.istio.io/v1": {
        "VirtualService": "virtualservices",
        "DestinationRule": "destinationrules",
    },
    "/apis/networking.istio.io/v1alpha3": {"EnvoyFilter": "envoyfilters"},
    "/apis/security.istio.io/v1": {"PeerAuthentication": "peerauthentications"},
    "/apis/wasm.tcm.io/v1alpha1": {"AutoWasm": "autowasms"},
}
_OF_NO_NAMESPACE: Final = ("Namespace", "Node")
_PROXY: Final = re.compile(r".*/services/http:(\w+):\d+/proxy/(.*)")
_REVIEW: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass
class World:
    """What is there. Each Deployment has ``pods`` (their names' ends), with ``sidecar`` where they take one."""

    kinds: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: dict(KINDS))
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    agents: list[tuple[int, bool]] = field(
        default_factory=list
    )  # answers before good ones: status, agent's own
    answers: dict[str, Response] = field(default_factory=dict)  # by who sends
    orders: list[dict[str, Any]] = field(default_factory=list)
    forbidden: set[str] = field(default_factory=set)  # resources
    refused: set[str] = field(default_factory=set)  # plural names that may not be written
    pods: tuple[str, ...] = ("",)
    sidecar: str = "istio-proxy"
    waiting: str = ""  # why containers do not start
    refusal: str = ""  # why no pods are made
    met: LoadResult = field(default_factory=lambda: LoadResult(5, 0))

    # ------------------------------------------------------------------ what the API server does

    def answer(self, method: str, url: str, body: Any) -> tuple[int, Any, bool]:
        """Status, JSON, and whether it is an agent's own."""
        path, query = urlsplit(url).path, parse_qs(urlsplit(url).query)
        self.asked.append(f"{method} {path}")
        if found := _PROXY.fullmatch(path):
            return self._agent(method, found[1], found[2], body)
        if path == _REVIEW:
            resource = body["spec"]["resourceAttributes"]["resource"]
            return 201, {"status": {"allowed": resource not in self.forbidden}}, False
        if path in self.kinds:
            namespaced = {kind: kind not in _OF_NO_NAMESPACE for kind in self.kinds[path]}
            resources = [
                {"name": name, "kind": kind, "namespaced": namespaced[kind]}
                for kind, name in self.kinds[path].items()
            ]
            return 200, {"resources": resources}, False
        return (*self._object(method, path, query, body), False)

    def _object(self, method: str, path: str, query: Mapping[str, list[str]], body: Any) -> tuple[int, Any]:
        plural = path.split("/")[-1 if path.endswith(tuple(self._plurals())) else -2]
        if method == "GET" and path.endswith("/pods"):
            return 200, {"items": self._pods(query.get("labelSelector", [""])[0])}
        if method == "GET" and plural in path.rpartition("/")[2]:
            return 200, {"items": [one for at, one in self.objects.items() if f"/{plural}/" in at]}
        if method == "PATCH" and plural in self.refused:
            return 403, {"message": f"{plural} is forbidden"}
        if method == "PATCH":
            return 200, self._patch(path, body)
        found = self.objects.get(path)
        if method == "DELETE":  # a namespace takes what is in it along
            inside = f"/namespaces/{path.rpartition('/')[2]}/"
            gone = [at for at in self.objects if at == path or (plural == "namespaces" and inside in at)]
            self.objects = {at: one for at, one in self.objects.items() if at not in gone}
        return (200, found) if found else (404, {"message": "not found"})

    def _plurals(self) -> list[str]:
        return [f"/{name}" for kinds in self.kinds.values() for name in kinds.values()]

    def _patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        stored = _merged(self.objects.get(path, {}), body)
        metadata = stored["metadata"]
        metadata["generation"] = metadata.get("generation", 0) + 1
        if stored.get("kind") == "Deployment":
            counts = dict.fromkeys(
                ("replicas", "updatedReplicas", "availableReplicas"), 0 if self.waiting else 1
            )
            stored["status"] = {"observedGeneration": metadata["generation"], **counts}
            if self.refusal:
                failure = {"type": "ReplicaFailure", "status": "True", "message": self.refusal}
                stored["status"] = {"conditions": [failure]}
        self.objects[path] = stored
        return stored

    def _pods(self, selector: str) -> list[dict[str, Any]]:
        return [
            self._pod(one, end)
            for at, one in self.objects.items()
            for end in self.pods
            if "/deployments/" in at and _selects(selector, one)
        ]

    def _pod(self, of: dict[str, Any], end: str) -> dict[str, Any]:
        template, name = of["spec"]["template"], of["metadata"]["name"]
        containers = [{"name": one["name"]} for one in template["spec"]["containers"]]
        injected = template["metadata"]["labels"].get("sidecar.istio.io/inject") != "false"
        blocked = {"waiting": {"reason": self.waiting, "message": "why"}}
        waiting = blocked if self.waiting else {"running": {}}
        sidecars = [self.sidecar] if injected and self.sidecar else []
        pod = f"{name}-{of['metadata']['generation']}{end}"
        return {
            "metadata": {
                "name": pod,
                "namespace": of["metadata"]["namespace"],
                "annotations": template["metadata"].get("annotations", {}),
            },
            "spec": {
                "containers": containers,
                "initContainers": [{"name": one} for one in sidecars],
            },
            "status": {
                "phase": "Running",
                "containerStatuses": [self._status(pod, name, waiting)],
                "initContainerStatuses": [self._status(pod, one, {"running": {}}) for one in sidecars],
            },
        }

    @staticmethod
    def _status(pod: str, container: str, state: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "name": container,
            "state": state,
            "containerID": f"containerd://{pod}/{container}",
            "restartCount": 4,
        }

    # ------------------------------------------------------------------ what agents do

    def _agent(self, method: str, name: str, path: str, body: Any) -> tuple[int, Any, bool]:
        if self.agents:
            status, own = self.agents.pop(0)
            return status, {"error": "said"}, own
        self.orders.append({"agent": name, "path": path, "body": body})
        if method == "POST" and path == "request":
            return 200, agent.response_data(self.answers.get(name) or _usual(name)), True
        if method == "POST" and path == "load":
            return 200, {"id": "7"}, True
        if method == "DELETE" and path == "load/7":
            return 200, agent.result_data(self.met), True
        return 404, {"error": f"{path}: there is none"}, True


def _usual(name: str) -> Response:
    return Response(200) if name == "client" else Response(None, error="ConnectionResetError: reset")


def _selects(selector: str, deployment: dict[str, Any]) -> bool:
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    return all(
        labels.get(key) == value
        for key, _, value in (one.partition("=") for one in selector.split(",") if one)
    )


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return {**old, **{key: _merged(old.get(key), value) for key, value in new.items()}}


class Server:
    """A world behind HTTP, and a kubeconfig file for it."""

    def __init__(self, world: World, folder: Path) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                status, told, own = world.answer(self.command, self.path, json.loads(body or b"null"))
                data = json.dumps(told).encode()
                self.send_response(status)
                if own:
                    self.send_header(agent.HEADER, "1")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PATCH = do_POST = do_DELETE = answer  # noqa: N815

            def log_message(self, *_args: Any) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.kubeconfig = folder / "kubeconfig"
        url = f"http://127.0.0.1:{self._http.server_port}"
        content = {
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "one",
        }
        self.kubeconfig.write_text(yaml.safe_dump(content))
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._http.shutdown()
        self._http.server_close()
