"""Whom a filter reaches, by a real API server's pods, what a wasmer tells, and what a sidecar's port answers."""

from __future__ import annotations

import contextlib
import http.server
import random
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx2
import pytest
from lightkube.resources.core_v1 import Pod

from autowasm import serving
from tests.programs import controller_process
from tests.programs.apiserver import converge
from tests.programs.world import V1, V2, cleared, clusters, module, put_pod, sha, wasmer_token

pytestmark = pytest.mark.programs

STATISTICS = """\
envoy_server_concurrency{} 2
envoy_server_uptime{} %(uptime)d
envoy_listener_manager_lds_update_time{} %(updated)d
envoy_listener_manager_lds_update_success{} 3
envoy_listener_manager_total_listeners_warming{} 0
envoy_wasm_envoy_wasm_runtime_v8_active{} %(vms)d
envoy_wasm_test_vm_reload{} 0
"""


class Sidecar:
    """What answers at a sidecar's port for statistics: a process that began long ago, with so many Wasm VMs."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.vms = 0
        self.asked: list[str] = []

    def text(self) -> str:
        """Its statistics now."""
        return STATISTICS % {"uptime": 10_000, "updated": time.time() * 1000, "vms": self.vms}


@pytest.fixture
def sidecar() -> Iterator[Sidecar]:
    """One on an address of loopback that nobody else has."""
    found = Sidecar(f"127.{random.randint(50, 250)}.{random.randint(1, 250)}.{random.randint(1, 250)}")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            body = found.text().encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer((found.address, 15090), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """An API server with what an installation puts into it."""
    with clusters(tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.admin.delete(Pod, "details-1", namespace="default", grace_period=0)
        yield cluster


@pytest.fixture
def world(cluster, registry):
    """The cluster without AutoWasms, EnvoyFilters and pods."""
    yield cleared(cluster, registry.host)
    for pod in cluster.admin.list(Pod, namespace="default"):
        with contextlib.suppress(Exception):
            cluster.admin.delete(Pod, pod.metadata.name, namespace="default", grace_period=0)


def now() -> str:
    """The time as wasmers write it."""
    return datetime.now(UTC).isoformat()


def tell(world, controller, number: int, address: str, data: bytes) -> int:
    """What a wasmer tells of one fetch that was a moment ago; what the controller has then."""
    fetch = {"n": number, "address": address, "digest": sha(data), "time": now()}
    answer = httpx2.post(
        controller.url + serving.FETCHES_PATH,
        json={"wasmer": "w1", "after": number - 1, "fetches": [fetch]},
        headers={"Authorization": f"Bearer {wasmer_token(world.cluster)}"},
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["have"]


def counts(world) -> tuple[str | None, str | None]:
    """How many were given it, and how many run it."""
    status = world.status()
    return status.get("fetched"), status.get("loaded")


def proven(world, controller, sidecar) -> None:
    """Bring it about that the one sidecar was given version 1, and is seen to run it."""
    put_pod(world.cluster, "details-2", address=sidecar.address, began="2026-01-01T00:00:00Z")
    sidecar.vms = 4
    world.apply(world.push("aw:v1", V1))
    converge(world.digest)
    tell(world, controller, 1, sidecar.address, V1)
    converge(lambda: counts(world) == ("1/1", "1/1"))


def test_from_written_to_loaded(world, controller, sidecar):
    """A pod counts at once, as fetched when wasmer told so, as loaded when its sidecar has the VMs."""
    put_pod(world.cluster, "details-2", address=sidecar.address, began="2026-01-01T00:00:00Z")
    world.apply(world.push("aw:v1", V1))
    converge(lambda: counts(world) == ("0/1", "0/1"))
    assert tell(world, controller, 1, sidecar.address, V1) == 1
    converge(lambda: counts(world) == ("1/1", "0/1"))
    sidecar.vms = 4
    converge(lambda: counts(world) == ("1/1", "1/1"))
    assert world.condition("Loaded")["status"] == "True"
    numbers = controller.get("/metrics").text
    for state in ("all", "fetched", "loaded"):
        assert f'autowasm_controller_sidecars{{state="{state}"}} 1.0' in numbers
    assert world.phase() == "Synced"


def test_nobody_looks_at_what_is_proven(world, controller, sidecar):
    """Once all is proven a sidecar is left alone."""
    proven(world, controller, sidecar)
    looks = len(sidecar.asked)
    world.apply(world.push("aw:bad", module("bad/missing-import")))
    world.settled("Degraded")
    assert len(sidecar.asked) == looks


def test_a_module_that_does_not_start(world, controller, sidecar):
    """A sidecar that was given the module and has no VM is named, with what was seen."""
    put_pod(world.cluster, "details-2", address=sidecar.address, began="2026-01-01T00:00:00Z")
    world.apply(world.push("aw:v1", V1))
    converge(world.digest)
    tell(world, controller, 1, sidecar.address, V1)
    converge(lambda: world.condition("Loaded").get("reason") == "Stuck")
    assert "details-2 (its sidecar has 0 Wasm VMs" in world.condition("Loaded")["message"]
    assert counts(world) == ("1/1", "0/1")


def test_a_sidecar_that_cannot_be_asked_is_unknown(world, controller):
    """Without statistics nobody claims anything: not loaded, Unknown, and why."""
    put_pod(world.cluster, "details-2", address="127.0.0.77", began="2026-01-01T00:00:00Z")
    world.apply(world.push("aw:v1", V1))
    converge(world.digest)
    tell(world, controller, 1, "127.0.0.77", V1)
    converge(lambda: world.condition("Loaded").get("reason") == "Unproven")
    assert world.condition("Loaded")["status"] == "Unknown"
    assert "its statistics cannot be read: unreachable" in world.condition("Loaded")["message"]
    assert counts(world) == ("1/1", "0/1")


def test_what_was_told_outlives_the_controller(world, controller, sidecar):
    """A controller that was killed knows who fetched, proves anew who runs it, and asks wasmer for nothing again."""
    proven(world, controller, sidecar)
    looks = len(sidecar.asked)
    controller.stop(signal.SIGKILL)
    controller.start()
    converge(lambda: len(sidecar.asked) > looks)
    assert tell(world, controller, 2, "10.0.0.1", V2) == 2
    assert counts(world) == ("1/1", "1/1")


def test_the_next_leader_knows_who_fetched(world, sidecar, tmp_path):
    """A controller that only listened takes over with what it was told, and proves the rest itself."""
    put_pod(world.cluster, "details-2", address=sidecar.address, began="2026-01-01T00:00:00Z")
    lease = "--lease-seconds=4"
    with (
        controller_process.running(world.cluster, tmp_path / "one", lease) as one,
        controller_process.running(world.cluster, tmp_path / "two", lease) as two,
    ):
        world.apply(world.push("aw:v1", V1))
        converge(world.digest)
        for controller in (one, two):
            tell(world, controller, 1, sidecar.address, V1)
        converge(lambda: counts(world) == ("1/1", "0/1"))
        asked = len(sidecar.asked)
        one.stop(signal.SIGKILL)
        sidecar.vms = 4
        converge(lambda: counts(world) == ("1/1", "1/1"), within=40)
        assert len(sidecar.asked) > asked


def test_an_address_that_another_pod_has_now(world, controller, sidecar):
    """A new pod under the address of one that fetched has fetched nothing."""
    put_pod(world.cluster, "details-2", address=sidecar.address, began="2026-01-01T00:00:00Z")
    world.apply(world.push("aw:v1", V1))
    converge(world.digest)
    tell(world, controller, 1, sidecar.address, V1)
    converge(lambda: counts(world) == ("1/1", "0/1"))
    world.admin.delete(Pod, "details-2", namespace="default", grace_period=0)
    put_pod(world.cluster, "details-3", address=sidecar.address)
    converge(lambda: counts(world) == ("0/1", "0/1"))


@pytest.mark.usefixtures("controller")
def test_pods_that_no_filter_reaches(world):
    """Pods without a sidecar, and none at all, are conditions that say so."""
    world.apply(world.push("aw:v1", V1))
    converge(lambda: world.condition("Selected").get("reason") == "NoPods")
    put_pod(world.cluster, "bare", address="127.0.0.78", sidecar=False)
    converge(lambda: world.condition("Selected").get("reason") == "NoSidecar")
    assert "bare" in world.condition("Selected")["message"]
    put_pod(world.cluster, "details-2", address="127.0.0.77")
    converge(lambda: world.condition("Selected").get("reason") == "SomeWithoutSidecar")


@pytest.mark.usefixtures("controller")
def test_a_port_of_no_container(world):
    """A port that no container of the workload declares is said."""
    put_pod(world.cluster, "details-2", address="127.0.0.77")
    world.apply(world.push("aw:v1", V1), filter={"applyPorts": [9999]})
    converge(lambda: world.condition("Selected").get("reason") == "ForeignPort")
    assert "9999" in world.condition("Selected")["message"]
