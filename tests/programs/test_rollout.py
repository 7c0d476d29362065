"""The mesh is changed when wasmers are ready, in a known order, and people are told: the real programs."""

from __future__ import annotations

import socket
import time

import pytest
from lightkube import generic_resource
from lightkube.types import PatchType

from autowasm.kube.kinds import EnvoyFilter
from tests.programs import apiserver, controller_process, wasmer_process
from tests.programs.apiserver import converge
from tests.programs.world import BAD, V1, V2, cleared, sha, wasmer_token

pytestmark = pytest.mark.programs

Event = generic_resource.create_namespaced_resource("events.k8s.io", "v1", "Event", "events")


@pytest.fixture
def world(cluster, registry):
    """The cluster without AutoWasms, EnvoyFilters and Events."""
    for event in cluster.admin.list(Event, namespace="default"):
        cluster.admin.delete(Event, event.metadata.name, namespace="default")
    return cleared(cluster, registry.host)


@pytest.fixture
def port():
    """Where the wasmer of a test listens."""
    return apiserver.free_port()


@pytest.fixture
def controller(world, port, tmp_path):
    """A controller that asks a wasmer which is not there yet."""
    flag = f"--wasmer=http://127.0.0.1:{port}"
    with controller_process.running(world.cluster, tmp_path / "controller", flag) as process:
        yield process


@pytest.fixture
def wasmer(controller, world, port, tmp_path):
    """Starts that wasmer; with a token of its own or none."""

    def start(token: str | None = None):
        file = tmp_path / "token"
        file.write_text(wasmer_token(world.cluster) if token is None else token)
        flags = f"--listen=127.0.0.1:{port}", f"--controller={controller.url}", f"--token-file={file}"
        return wasmer_process.running(tmp_path / "wasmer", *flags)

    return start


def events(world) -> list[tuple[str, str, str]]:
    """Type, reason and note of each Event about AutoWasm test."""
    found = [
        event
        for event in world.admin.list(Event, namespace="default")
        if event["regarding"]["name"] == "test"
    ]
    found.sort(key=lambda event: event["eventTime"])
    return [(event["type"], event["reason"], event["note"]) for event in found]


def told(world) -> list[str]:
    """The reasons of its Events, in their order."""
    return [reason for _, reason, _ in events(world)]


def test_no_wasmer_no_envoyfilter(world, wasmer):
    """What no wasmer can serve is not written; one that comes has the module before the EnvoyFilter is there."""
    world.apply(world.push("first:v1", V1))
    converge(lambda: world.condition("Served").get("reason") == "Unreachable")
    assert world.envoyfilter() is None
    assert world.phase() == "Pending"
    with wasmer() as running:
        world.settled("Synced")
        assert (running.folder / "data" / "sha256" / sha(V1)).read_bytes() == V1
        served = world.condition("Served")
        assert (served["status"], served["message"]) == ("True", "1 of 1 wasmers have the module")
        assert world.digest() == sha(V1)


def test_a_wasmer_that_cannot_serve_holds_the_new_version_up(world, wasmer, tmp_path):
    """A wasmer that lacks the new module and cannot get it is named, and the old EnvoyFilter stays until it can."""
    with wasmer():
        world.apply(world.push("up:v1", V1))
        world.settled("Synced")
        (tmp_path / "token").write_text("nonsense")
        before = world.envoyfilter()
        world.apply(world.push("up:v2", V2))
        converge(lambda: world.condition("Served").get("reason") == "NotServed")
        assert "answered 503" in world.condition("Served")["message"]
        assert (world.phase(), world.envoyfilter()) == ("Degraded", before)
        (tmp_path / "token").write_text(wasmer_token(world.cluster))
        world.settled("Synced")
        assert world.digest() == sha(V2)


def test_what_stands_is_mended_without_any_wasmer(world, wasmer):
    """An EnvoyFilter that somebody deletes is written again within a second though wasmers are away."""
    with wasmer():
        world.apply(world.push("mend:v1", V1))
        world.settled("Synced")
    deleted = time.monotonic()
    world.admin.delete(EnvoyFilter, "test", namespace="default")
    converge(lambda: world.digest() == sha(V1))
    assert time.monotonic() - deleted < 1
    assert world.phase() == "Synced"
    converge(lambda: "Mended" in told(world))


def priorities(world, *names: str) -> list[int | None]:
    """The priorities of these EnvoyFilters, None for one that is not there."""
    found = [world.envoyfilter(name) for name in names]
    return [obj and obj["spec"].get("priority", 0) for obj in found]


def test_the_order_on_a_shared_workload(world, wasmer):
    """Two on one workload are ordered by priority and name, whoever came first; one that leaves makes room."""
    image = world.push("order:v1", V1)
    with wasmer():
        world.apply(image, name="b")
        world.settled("Synced", "b")
        assert "priority" not in world.envoyfilter("b")["spec"]
        world.apply(image, name="a")
        converge(lambda: priorities(world, "a", "b") == [0, 1])
        world.apply(image, name="c", filter={"priority": 5})
        converge(lambda: priorities(world, "c", "a", "b") == [0, 1, 2])
        converge(
            lambda: (
                world.condition("Overlaps", "a")
                .get("message", "")
                .startswith("runs after default/c and before")
            )
        )
        assert world.status("b")["order"] == 2
        world.delete("c")
        converge(lambda: priorities(world, "a", "b") == [0, 1])
        world.apply(image, name="a", selector={"matchLabels": {"app": "other"}})
        converge(lambda: priorities(world, "b") == [0] and not world.condition("Overlaps", "b"))
        converge(lambda: [world.phase(name) for name in ("a", "b")] == ["Synced", "Synced"])


def test_events_tell_what_happened(world, wasmer):
    """A roll-out, a refused version and a roll-back are Events of the AutoWasm, each once."""
    with wasmer():
        world.apply(world.push("told:v1", V1))
        world.settled("Synced")
        converge(lambda: told(world) == ["RolledOut"])
        world.apply(world.push("told:v2", BAD))
        world.settled("Degraded")
        converge(lambda: told(world) == ["RolledOut", "Refused"])
        kind, _, note = events(world)[-1]
        assert (kind, "missing-import" in note) == ("Warning", True)
        world.apply(f"{world.host}/told:v1")
        world.settled("Synced")
        converge(lambda: told(world) == ["RolledOut", "Refused", "Synced"])


def test_a_conflict_is_an_event(world, wasmer):
    """An EnvoyFilter of somebody else is a warning, and stays as it is."""
    with wasmer():
        world.apply(world.push("clash:v1", V1))
        world.settled("Synced")
        owners = {"metadata": {"ownerReferences": None}}
        world.admin.patch(EnvoyFilter, "test", owners, namespace="default", patch_type=PatchType.MERGE)
        world.settled("Failed")
        converge(lambda: told(world)[-1] == "Conflict")


def test_the_slow_hold_up_nobody(world, wasmer):
    """Thirty names that hang on a registry which never answers cost another one nothing."""
    with wasmer(), socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        for number in range(30):
            world.apply(f"127.0.0.1:{listener.getsockname()[1]}/slow{number}:v1", name=f"slow-{number}")
        began = time.monotonic()
        world.apply(world.push("quick:v1", V1))
        world.settled("Synced")
        assert time.monotonic() - began < 10
        assert world.phase("slow-0") in {"", "Pulling"}


def test_a_restart_asks_nobody(world, controller, wasmer):
    """A controller that starts over a settled cluster writes no status, no EnvoyFilter and no Event."""
    with wasmer():
        world.apply(world.push("calm:v1", V1))
        world.settled("Synced")
        converge(lambda: told(world) == ["RolledOut"])
    before = world.status(), world.envoyfilter()
    assert controller.stop() == 0
    controller.start()
    with wasmer():
        world.witness(f"{world.host}/calm:v1")
    assert (world.status(), world.envoyfilter()) == before
    assert told(world) == ["RolledOut"]
