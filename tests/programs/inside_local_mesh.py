"""Runs inside of namespaces: brings a local mesh up, does what scenarios do, and prints what it saw as JSON.

Started by test_local_mesh.py, which judges. Each function sees one thing; what it raises is seen too.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx2

from harness import events
from harness.mesh import FaultWish, LoadWish, ObjectRef, PushWish, Refused, RequestWish, ScaleWish
from harness.meshes import local
from harness.meshes.local import topology
from harness.meshes.local.local import Local
from harness.samples import Samples
from harness.services import netns, traffic
from harness.toolchain import binaries

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "istiod", "registry", "envoy", "kubectl")
SAMPLES = Samples(Path(__file__).parents[2] / "wasm_samples")
HELLO = SAMPLES.module("good/hello-v1")
BAD = SAMPLES.module("bad/missing-import")


def request(mesh: Local, port: int = 9080, path: str = "/details/7", **more: Any) -> Any:
    """One answer, in the parts that are judged."""
    seen = mesh.request(RequestWish("details", port, path=path, **more))
    return {"status": seen.status, "headers": dict(seen.headers), "app": seen.app, "error": seen.error}


def config_map(name: str, owner: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A small object, perhaps owned by another."""
    metadata: dict[str, Any] = {"name": name, "namespace": "default"}
    if owner:
        uid = owner["metadata"]["uid"]
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": owner["metadata"]["name"], "uid": uid}
        metadata["ownerReferences"] = [reference]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}}


def autowasm(image: str, ports: list[int]) -> dict[str, Any]:
    """An AutoWasm for details."""
    source = {"registry": {"image": image}}
    return {
        "apiVersion": "wasm.tcm.io/v1alpha1",
        "kind": "AutoWasm",
        "metadata": {"name": "hello", "namespace": "default"},
        "spec": {
            "filter": {"applyPorts": ports, "source": source},
            "selector": {"matchLabels": {"app": "details"}},
        },
    }


def until(condition: Callable[[], Any], within: float = 30.0) -> Any:
    """The first true value of a condition, or its last value."""
    deadline = time.monotonic() + within
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return value


def see_answers(mesh: Local) -> Any:
    """Both ports, and a path that is none."""
    return {"9080": request(mesh), "9081": request(mesh, 9081), "404": request(mesh, path="/nothing")}


def see_sent_headers(mesh: Local) -> Any:
    """What the application says of a request with repeated fields."""
    headers = (("x-one", "1"), ("X-One", "2"), ("host", "details.example"))
    return request(mesh, headers=headers, method="POST", body=b"abc")["app"]


def see_closed_port(mesh: Local) -> Any:
    """A port that the capture leaves alone and nobody listens on."""
    return request(mesh, 15021)


def see_unknown_workload(mesh: Local) -> Any:
    """A workload that is none."""
    return mesh.request(RequestWish("nobody", 80)).error


def see_objects(mesh: Local) -> Any:
    """The life of one object."""
    target = ObjectRef("v1", "ConfigMap", "default", "seen")
    before = mesh.get(target)
    stored = mesh.apply(config_map("seen"))
    again = mesh.get(target)
    return {
        "before": before,
        "stored": stored["data"],
        "again": again and again["data"],
        "deleted": mesh.delete(target),
        "after": mesh.get(target),
        "deleted again": mesh.delete(target),
    }


def see_a_kind_that_is_none(mesh: Local) -> Any:
    """An object of a kind that no CRD defines."""
    return mesh.apply({"apiVersion": "example.com/v1", "kind": "Nothing", "metadata": {"name": "x"}})


def see_a_bad_object(mesh: Local) -> Any:
    """An AutoWasm with two sources."""
    bad = autowasm("registry.example/a:b", [9080])
    bad["spec"]["filter"]["source"]["object"] = {"url": "https://example.com/a.wasm"}
    return mesh.apply(bad)


def see_garbage_collection(mesh: Local) -> Any:
    """Whether an owned object goes with its owner."""
    owner = mesh.apply(config_map("owner"))
    mesh.apply(config_map("owned", owner))
    mesh.delete(ObjectRef("v1", "ConfigMap", "default", "owner"))
    return until(lambda: mesh.get(ObjectRef("v1", "ConfigMap", "default", "owned")) is None)


def see_a_namespace_come_and_go(mesh: Local) -> Any:
    """Whether a namespace gets its account, and goes."""
    mesh.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "short-lived"}})
    account = ObjectRef("v1", "ServiceAccount", "short-lived", "default")
    there = until(lambda: mesh.get(account) is not None)
    return {"account": there, "deleted": mesh.delete(ObjectRef("v1", "Namespace", "", "short-lived"))}


def see_endpoints_follow_a_pod(mesh: Local) -> Any:
    """The addresses of a Service made later."""
    metadata = {"name": "late", "namespace": "default", "labels": {"app": "late"}}
    spec = {"selector": {"app": "late"}, "ports": [{"port": 80}]}
    mesh.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    container = {"name": "late", "image": "late"}
    pod = {"nodeName": topology.NODE, "containers": [container]}
    mesh.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod})
    labels = "kubernetes.io/service-name=late"

    def pods() -> Any:
        slices = mesh._api.list("discovery.k8s.io/v1", "EndpointSlice", labels)
        mesh._api.patch_status(
            ObjectRef("v1", "Pod", "default", "late"),
            {"phase": "Running", "podIP": "10.99.9.2", "podIPs": [{"ip": "10.99.9.2"}]},
        )
        return [address for one in slices for end in one["endpoints"] or () for address in end["addresses"]]

    return until(pods)


def see_rights_of_accounts(mesh: Local) -> Any:
    """What a token of each ServiceAccount may: the status of each request."""
    url = f"https://127.0.0.1:{topology.API_PORT}"
    ca = str(mesh.kubeconfig.parent / "ca.crt")
    paths = {
        "nodes": "/api/v1/nodes",
        "secrets": "/api/v1/namespaces/default/secrets",
        "autowasms": "/apis/wasm.tcm.io/v1alpha1/autowasms",
    }
    seen: dict[str, Any] = {}
    for account in ("wasmer", "autowasm-controller"):
        headers = {"authorization": f"Bearer {mesh._api.token(topology.SYSTEM, account)}"}
        with httpx2.Client(verify=ca, headers=headers, trust_env=False) as client:
            seen[account] = {name: client.get(url + path).status_code for name, path in paths.items()}
    with httpx2.Client(verify=ca, trust_env=False) as client:
        seen["nobody"] = {name: client.get(url + path).status_code for name, path in paths.items()}
    return seen


def see_a_private_push_without_login(mesh: Local) -> Any:
    """A push that must be refused."""
    return mesh.push(PushWish(HELLO, f"{mesh.bindings['private_registry']}/a/b:c")).digest


def see_a_push_of_a_bad_module(mesh: Local) -> Any:
    """A push that the check must refuse."""
    return mesh.push(PushWish(BAD, f"{mesh.bindings['registry']}/a/bad:v1")).digest


def see_a_forced_push_of_a_bad_module(mesh: Local) -> Any:
    """The same push, by force."""
    return mesh.push(PushWish(BAD, f"{mesh.bindings['registry']}/a/bad:v1", force=True)).digest


def see_a_private_push(mesh: Local) -> Any:
    """A push with the login."""
    login = (mesh.bindings["registry_user"], mesh.bindings["registry_password"])
    pushed = mesh.push(PushWish(HELLO, f"{mesh.bindings['private_registry']}/a/b:c", login))
    return {"reference": pushed.reference, "digest": pushed.digest, "module": pushed.module_sha256}


def see_a_filter(mesh: Local) -> Any:
    """A filter under load, on the port it names and on another."""
    pushed = mesh.push(PushWish(HELLO, f"{mesh.bindings['registry']}/a/hello:v1"))
    traffic = mesh.load(LoadWish(RequestWish("details", 9080, path="/details/1"), rate=200, watch=("hello",)))
    mesh.apply(autowasm(pushed.reference, [9080]))
    until(lambda: request(mesh)["headers"].get("hello"))
    seen = {
        "9080": request(mesh)["headers"].get("hello"),
        "9081": request(mesh, 9081)["headers"].get("hello"),
    }
    until(lambda: bool(traffic._tally._seen))
    met = traffic.stop()
    again = traffic.stop()
    load = {"sent": met.sent, "failed": met.failed, "failures": list(met.failures), "seen": dict(met.seen)}
    return {**seen, "load": load, "same again": met == again}


def see_what_is_collected(mesh: Local) -> Any:
    """The files that explain a failure."""
    with tempfile.TemporaryDirectory() as name:
        mesh.collect(Path(name))
        files = [path for path in Path(name).rglob("*") if path.is_file()]
        sizes = {str(path.relative_to(name)): path.stat().st_size for path in files}
        clusters = (Path(name) / "envoy-clusters.txt").read_text()
    return {"files": sizes, "wasmer is known": "outbound|8081||wasmer.istio-system" in clusters}


def harmed(mesh: Local, wish: FaultWish, look: Callable[[], Any]) -> dict[str, Any]:
    """What is seen before, during and after harm."""
    before = look()
    mesh.fault(wish)
    during = look()
    mesh.fault(dataclasses.replace(wish, heal=True))
    return {"before": before, "during": during, "after": look()}


def see_a_kill(mesh: Local) -> Any:
    """A wasmer that is killed: its Pod's status once it is ready again, and whether its name leads to it."""
    pod = ObjectRef("v1", "Pod", topology.SYSTEM, "wasmer-0")
    killed = mesh.fault(FaultWish("kill", "wasmer"))

    def back() -> Any:
        status = mesh.get(pod)["status"]["containerStatuses"][0]  # type: ignore[index]
        return status["ready"] and status["restartCount"] == killed.restarts and status

    status = until(back)
    return {"restarts": status["restartCount"], "started": bool(status["state"]["running"].get("startedAt"))}


def see_replicas(mesh: Local) -> Any:
    """Three wasmers for a while: who is named, who has an endpoint."""
    labels = "kubernetes.io/service-name=wasmer"

    def endpoints() -> int:
        slices = mesh._api.list("discovery.k8s.io/v1", "EndpointSlice", labels)
        return sum(end["conditions"]["ready"] for one in slices for end in one["endpoints"] or ())

    def named() -> int:
        found = socket.getaddrinfo(f"wasmer-peers.{topology.SYSTEM}", 8081, type=socket.SOCK_STREAM)
        return len(found)

    scaled = mesh.scale(ScaleWish("wasmer", 3))
    more = {"pods": sorted(scaled.pods), "named": named(), "endpoints": until(lambda: endpoints() == 3)}
    mesh.scale(ScaleWish("wasmer", scaled.before))
    gone = mesh.get(ObjectRef("v1", "Pod", topology.SYSTEM, "wasmer-2")) is None
    return {**more, "back": [named(), until(lambda: endpoints() == 1), gone]}


def see_more_sidecars(mesh: Local) -> Any:
    """Two more sidecars, each of which answers when its turn comes."""
    mesh.scale(ScaleWish("details", 3))
    answers = [request(mesh)["status"] for _ in range(6)]
    mesh.scale(ScaleWish("details", 1))
    return {"answers": answers, "after": request(mesh)["status"]}


def see_a_cut(mesh: Local) -> Any:
    """Whether the sidecar's network reaches wasmer."""
    details = mesh._parts.namespaces["details"]
    wish = FaultWish("cut", "details", to="wasmer")
    return harmed(mesh, wish, lambda: details.accepts((topology.WASMER.address, 8081)))


def see_a_slow_registry(mesh: Local) -> Any:
    """Whether an answer takes longer than both ways of the distance together."""
    controller = mesh._parts.namespaces["controller"]
    wish = RequestWish("registry", 5000, path="/v2/")

    def slow() -> bool:
        seen = traffic.once(controller.connect, topology.NODE_ADDRESS, wish)
        return seen.status == 200 and seen.seconds >= 0.4

    return harmed(mesh, FaultWish("slow", "registry", seconds=0.2), slow)


def see_the_end_of_a_slow_way(mesh: Local) -> Any:
    """What becomes of a connection that took the slow way when that is healed: it ends, at once."""
    mesh.fault(FaultWish("slow", "registry", seconds=0.2))
    with mesh._parts.namespaces["controller"].connect((topology.NODE_ADDRESS, 5000), 5.0) as open_still:
        open_still.sendall(b"GET /v2/ HTTP/1.1\r\nhost: x\r\n\r\n")
        answered = open_still.recv(4096).startswith(b"HTTP/1.1 200")
        mesh.fault(FaultWish("slow", "registry", seconds=0.2, heal=True))
        try:
            ended = open_still.recv(4096) == b""
        except ConnectionResetError:
            ended = True
    return {"answered": answered, "ended": ended}


def see_a_full_disk(mesh: Local) -> Any:
    """Whether a byte can be written to wasmer's disk."""
    file = mesh._parts.folder / "wasmer" / "data" / "byte"

    def full() -> bool:
        try:
            file.write_bytes(b"x")
        except OSError as error:
            return error.errno == errno.ENOSPC
        finally:
            file.unlink(missing_ok=True)  # its space is free again, for the next look to miss
        return False

    return harmed(mesh, FaultWish("fill", "wasmer"), full)


def see_a_hung_controller(mesh: Local) -> Any:
    """Whether the controller answers."""
    controller = mesh._parts.namespaces["controller"]
    wish = RequestWish("controller", 8082, path="/healthz", timeout=0.5)

    def status() -> int | None:
        return traffic.once(controller.connect, "127.0.0.1", wish).status

    return harmed(mesh, FaultWish("hang", "autowasm-controller"), status)


def see_a_registry_that_is_away(mesh: Local) -> Any:
    """Whether the registry takes connections; it is waited for on both sides."""
    here = netns.own()
    mesh.fault(FaultWish("down", "registry"))
    away = until(lambda: not here.accepts(("127.0.0.1", 5000)))
    mesh.fault(FaultWish("down", "registry", heal=True))
    return {"away": away, "back": until(lambda: here.accepts(("127.0.0.1", 5000)))}


def see_an_api_server_that_is_killed(mesh: Local) -> Any:
    """An object that is written while the API server starts again."""
    mesh.fault(FaultWish("kill", "kube-apiserver"))
    return mesh.apply(config_map("after-a-kill"))["data"]


def see_a_compaction(mesh: Local) -> Any:
    """What etcd says of it, and of a fault that is none."""
    told = mesh.fault(FaultWish("compact")).detail
    return {"told": told.startswith("up to revision"), "cordon": refusal(mesh, FaultWish("cordon"))}


def see_a_clock(mesh: Local) -> Any:
    """How far the controller's Date is from ours, in whole days; None where clocks cannot jump here."""
    if "clock" not in mesh.capabilities:
        return None
    controller = mesh._parts.namespaces["controller"]
    wish = RequestWish("controller", 8082, path="/healthz")

    def days() -> int:
        seen = traffic.once(controller.connect, "127.0.0.1", wish)
        told = parsedate_to_datetime(seen.values("date")[0]).timestamp()
        return round((told - time.time()) / 86400)

    wish_for = FaultWish("clock", "autowasm-controller", seconds=86400)
    mesh.fault(wish_for)
    ahead = until(lambda: days() == 1)
    mesh.fault(dataclasses.replace(wish_for, heal=True))
    return {"ahead": ahead, "back": until(lambda: days() == 0)}


def refusal(mesh: Local, wish: FaultWish) -> str:
    """Why harm is not done."""
    try:
        mesh.fault(wish)
    except Refused as refused:
        return str(refused)
    return ""


def see_a_death(mesh: Local) -> Any:
    """What a wish meets after etcd was killed."""
    [etcd] = [one for one in mesh._parts.processes if one.name == "etcd"]
    os.kill(etcd.pid, signal.SIGKILL)
    etcd.wait_for_end(10)
    return mesh.get(ObjectRef("v1", "Node", "", topology.NODE))


def main() -> None:
    """See everything that begins with see_, in order: a death comes last."""
    told: list[events.Event] = []
    toolchain = binaries.ensure(PROGRAMS, told.append)
    seen: dict[str, Any] = {}
    with local.Local(toolchain, told.append) as mesh:
        for name, function in list(globals().items()):
            if name.startswith("see_"):
                try:
                    seen[name] = function(mesh)
                except Exception as error:
                    seen[name] = {"raised": type(error).__name__, "message": str(error)}
    seen["phases"] = [event.phase for event in told if isinstance(event, events.PhaseEnded)]
    ended = [event for event in told if isinstance(event, events.PhaseEnded)]
    # What is built or installed once, before the first bring-up of all, has no place on its clock.
    seen["since start"] = [event.since_start for event in ended if event.since_start is not None]
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    sys.exit(main())
