"""Workloads with Istio's own agent as their sidecar, beside a local mesh: what WasmPlugin needs, and AutoWasm does not.

Each is a network namespace with the details application, a real pilot-agent and the Envoy that it starts. The agent
keeps modules in /var/lib/istio/data, so each has a mount namespace of its own, as a container has.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.meshes import local
from harness.meshes.local import topology
from harness.services import capture, kube, links, login, netns, process
from harness.services.process import Process, Program
from harness.toolchain.binaries import Toolchain

APP: Final = "fleet"
PORT: Final = 9080
BOOTSTRAP: Final = "tools/packaging/common/envoy_bootstrap.json"
"""The agent's template of Envoy's configuration, a file of the Istio module."""

_FIRST_NUMBER: Final = 100
"""The mesh's own workloads have the numbers below."""

_READY_SECONDS: Final = 90.0


@dataclass(frozen=True, slots=True)
class Member:
    """One workload: ``number`` counts from 0."""

    number: int

    @property
    def workload(self) -> topology.Workload:
        """As the mesh describes its own."""
        return topology.Workload(
            name=f"{APP}-{self.number}",
            number=_FIRST_NUMBER + self.number,
            pod=f"{APP}-{self.number}",
            account=APP,
            labels={"app": APP, "member": str(self.number)},
            ports={"http": PORT},
        )

    def get(self, timeout: float = 2.0) -> tuple[int, Mapping[str, str]]:
        """Status and header fields of a request from the node; (0, {}) where there is no answer."""
        connection = http.client.HTTPConnection(self.workload.address, PORT, timeout=timeout)
        try:
            connection.request("GET", "/details/0")
            answer = connection.getresponse()
            answer.read()
            return answer.status, {key.lower(): value for key, value in answer.getheaders()}
        except (OSError, http.client.HTTPException):
            return 0, {}
        finally:
            connection.close()


@contextlib.contextmanager
def running(toolchain: Toolchain, mesh: local.Local, count: int) -> Iterator[list[Member]]:
    """So many workloads, each of which answers through its sidecar; they are gone afterwards."""
    members = [Member(number) for number in range(count)]
    api = kube.Api(login.with_kubeconfig(mesh.kubeconfig))
    started: list[Process] = []
    try:
        _register(api, members)
        for member in members:
            started += _start(toolchain, mesh.kubeconfig.parent.parent / APP, member)
        for member in members:
            name = f"{APP}-{member.number}: must answer through its sidecar"
            started[-1].wait(name, functools.partial(_answers, member), _READY_SECONDS)
        yield members
    finally:
        process.stop_all(started)
        api.close()


def _answers(member: Member) -> bool:
    # The application answers without its sidecar too; Envoy writes a header of its own.
    status, headers = member.get()
    return status == 200 and headers.get("server") == "istio-envoy"


def _register(api: kube.Api, members: list[Member]) -> None:
    metadata = {"name": APP, "namespace": "default"}
    api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    ports = [{"name": "http", "port": PORT, "targetPort": PORT}]
    spec = {"selector": {"app": APP}, "ports": ports}
    api.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    for member in members:
        pod = api.apply(_pod(member.workload))
        api.patch_status(kube.ref(pod), _status(member.workload))


def _pod(workload: topology.Workload) -> dict[str, Any]:
    app = {"name": "details", "image": "details", "ports": [{"containerPort": PORT}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": workload.pod, "namespace": "default", "labels": dict(workload.labels)},
        "spec": {
            "nodeName": topology.NODE,
            "serviceAccountName": APP,
            "containers": [app, {"name": "istio-proxy", "image": "proxyv2"}],
        },
    }


def _status(workload: topology.Workload) -> dict[str, Any]:
    running_state = {
        "ready": True,
        "started": True,
        "restartCount": 0,
        "imageID": "",
        "state": {"running": {}},
    }
    return {
        "phase": "Running",
        "hostIP": topology.NODE_ADDRESS,
        "podIP": workload.address,
        "podIPs": [{"ip": workload.address}],
        "conditions": [{"type": kind, "status": "True"} for kind in ("Ready", "ContainersReady")],
        "containerStatuses": [
            running_state | {"name": name, "image": name} for name in ("details", "istio-proxy")
        ],
    }


def _start(toolchain: Toolchain, root: Path, member: Member) -> list[Process]:
    workload = member.workload
    folder = root / workload.name
    folder.mkdir(parents=True)
    namespace = netns.create(workload.name)
    links.connect(namespace, links.Cable(workload.name, workload.gateway, workload.address))
    namespace.call(capture.redirect_inbound)
    app = process.python("harness.services.apps.details", f"--port={PORT}")
    command = f"mount -t tmpfs tmpfs /var/lib && mkdir -p /var/lib/istio/data && exec {_agent(toolchain)}"
    _lay_out(toolchain, folder)
    return [
        process.start(Program(f"app-{workload.name}", app, folder / "app.log", netns=namespace.path)),
        process.start(
            Program(
                f"agent-{workload.name}",
                ["unshare", "--mount", "sh", "-c", command],
                folder / "agent.log",
                env=_environment(toolchain, workload),
                cwd=folder,
                netns=namespace.path,
            )
        ),
    ]


def _agent(toolchain: Toolchain) -> str:
    level = "--proxyLogLevel=warning --log_output_level=default:warn --concurrency=1"
    return f"{shlex.quote(str(toolchain.path('pilot-agent')))} proxy sidecar {level}"


def _lay_out(toolchain: Toolchain, folder: Path) -> None:
    """The files that the agent looks for in its working directory."""
    for name in ("var/run/secrets/tokens", "etc/istio/proxy", "etc/istio/pod", "var/lib/istio/envoy"):
        (folder / name).mkdir(parents=True)
    template = folder / "var/lib/istio/envoy/envoy_bootstrap_tmpl.json"
    template.write_bytes(toolchain.istio_source(BOOTSTRAP).read_bytes())


def _environment(toolchain: Toolchain, workload: topology.Workload) -> dict[str, str]:
    istiod = f"{workload.gateway}:{topology.XDS_PORT}"
    configuration = {
        "binaryPath": str(toolchain.path("envoy")),
        "configPath": "etc/istio/proxy",
        "discoveryAddress": istiod,
        "controlPlaneAuthPolicy": "NONE",
        "proxyBootstrapTemplatePath": "var/lib/istio/envoy/envoy_bootstrap_tmpl.json",
        "concurrency": 1,
    }
    return {
        "INSTANCE_IP": workload.address,
        "POD_NAME": workload.pod,
        "POD_NAMESPACE": workload.namespace,
        "SERVICE_ACCOUNT": workload.account,
        "PROXY_CONFIG": json.dumps(configuration),
        "ISTIO_META_CLUSTER_ID": "Kubernetes",
        "ISTIO_META_INTERCEPTION_MODE": "REDIRECT",
        "ISTIO_METAJSON_LABELS": json.dumps(dict(workload.labels)),
        "CA_ADDR": istiod,
        "CLOUD_PLATFORM": "none",
        "WASM_INSECURE_REGISTRIES": "*",
    }
