"""Two controllers and two wasmers, as processes, against a real API server and a real registry."""

from __future__ import annotations

import contextlib
import shutil
import signal
from datetime import UTC, datetime

import pytest
from lightkube import ApiError, generic_resource

from autowasm.kube.kinds import AutoWasm, EnvoyFilter
from tests.programs import controller_process, wasmer_process
from tests.programs.apiserver import converge
from tests.programs.world import BAD, V1, V2, cleared, serving_bytes, sha, wasmer_token

pytestmark = pytest.mark.programs

Lease = generic_resource.create_namespaced_resource("coordination.k8s.io", "v1", "Lease", "leases")
LEASE = "--lease-seconds=4"
FAILOVER_SECONDS = 30.0
"""The Lease's time, a look, and room for a busy machine."""


@pytest.fixture
def world(cluster, registry):
    """The cluster without AutoWasms, EnvoyFilters and a Lease."""
    with contextlib.suppress(ApiError):
        cluster.admin.delete(Lease, controller_process.ACCOUNT, namespace=controller_process.INSTALL)
    return cleared(cluster, registry.host)


@pytest.fixture
def pair(world, tmp_path):
    """Two controllers: the one that writes, and the other one."""
    with (
        controller_process.running(world.cluster, tmp_path / "one", LEASE) as one,
        controller_process.running(world.cluster, tmp_path / "two", LEASE) as two,
    ):
        converge(lambda: leads(one))
        yield one, two


@pytest.fixture
def token_file(cluster, tmp_path):
    """The token of a wasmer."""
    path = tmp_path / "token"
    path.write_text(wasmer_token(cluster))
    return path


def number(controller, name: str) -> float:
    """One of its numbers; of several the sum."""
    lines = controller.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(f"autowasm_controller_{name}"))


def leads(controller) -> bool:
    """Whether it is the one that writes."""
    return number(controller, "leading") == 1


def versions(world) -> dict:
    """The version of every AutoWasm and EnvoyFilter."""
    return {
        (kind.__name__, obj.metadata.name): obj.metadata.resourceVersion
        for kind in (AutoWasm, EnvoyFilter)
        for obj in world.admin.list(kind, namespace="default")
    }


def has(controller, data: bytes, token: str) -> bool:
    """Whether it hands out a module."""
    return controller.get(f"/blobs/{sha(data)}", token).content == data


def test_two_are_calm(world, pair):
    """Two controllers over good, refused and failing modules: after a while nothing is written any more."""
    world.apply(world.push("calm:v1", V1))
    world.apply(world.push("bad:v1", BAD), name="bad")
    world.apply(world.push("away:v1", V1), name="away", secret="missing")
    world.settled("Synced")
    world.settled("Failed", "bad")
    converge(lambda: world.condition("Pulled", "away").get("reason") == "SecretNotFound")
    converge(lambda: number(pair[0], "queue_length") == number(pair[1], "queue_length") == 0)
    before, tries = versions(world), number(pair[0], 'reconciles_total{result="failed"}')
    # The one that cannot be had is tried again and again, to the same end.
    converge(lambda: number(pair[0], 'reconciles_total{result="failed"}') >= tries + 2)
    assert versions(world) == before
    assert [leads(controller) for controller in pair] == [True, False]


def test_both_hold_the_modules(world, pair):
    """What stands in the mesh either of them hands out; only one wrote."""
    world.apply(world.push("both:v1", V1))
    world.settled("Synced")
    token = wasmer_token(world.cluster)
    for controller in pair:
        converge(lambda controller=controller: has(controller, V1, token))
    assert pair[0].lines("status written")
    assert not pair[1].lines("status written")
    assert not pair[1].lines("envoyfilter written")


def test_what_one_lacks_is_not_the_others_status(world, pair):
    """A replica that cannot get a module which the other has changes nothing of what is said about it."""
    one, two = pair
    with serving_bytes(V1) as (url, _):
        world.apply("", source={"object": {"url": url}})
        world.settled("Synced")
        assert two.stop() == 0
        shutil.rmtree(two.data)
    before = versions(world)
    two.start()
    token = wasmer_token(world.cluster)
    converge(lambda: number(two, 'reconciles_total{result="failed"}') >= 1)
    assert two.get(f"/blobs/{sha(V1)}", token).status_code == 503
    assert has(one, V1, token)
    assert versions(world) == before


def test_an_orderly_end_hands_over(world, pair):
    """When the one that writes is told to end, the other goes on at once, and nothing is written anew."""
    one, two = pair
    world.apply(world.push("over:v1", V1))
    world.settled("Synced")
    before = versions(world)
    assert one.stop() == 0
    converge(lambda: leads(two), within=5)
    world.witness(world.push("over:v2", V2))
    assert {key: version for key, version in versions(world).items() if key[1] == "test"} == before
    one.start()
    world.apply(world.push("over:v3", V2), name="third")
    world.settled("Synced", "third")
    assert not leads(one)


def test_a_kill_is_survived(world, pair):
    """When the one that writes is killed, what happened meanwhile is made good once its Lease has lapsed."""
    one, two = pair
    world.apply(world.push("kill:v1", V1))
    world.settled("Synced")
    one.stop(signal.SIGKILL)
    world.apply(world.push("kill:v2", V2))
    world.admin.delete(EnvoyFilter, "test", namespace="default")
    converge(lambda: world.phase() == "Synced" and world.digest() == sha(V2), within=FAILOVER_SECONDS)
    assert leads(two)


def test_a_restart_over_the_same_store_goes_on(world, pair):
    """One that is killed and started again over its store is the one that writes again, without a wait."""
    one, two = pair
    one.stop(signal.SIGKILL)
    one.start()
    converge(lambda: leads(one), within=5)
    world.apply(world.push("same:v1", V1))
    world.settled("Synced")
    assert not leads(two)


def test_a_pause_does_not_make_two(world, pair):
    """One that was stopped for longer than its Lease lasts follows when it goes on."""
    one, two = pair
    world.apply(world.push("pause:v1", V1))
    world.settled("Synced")
    one.process.send_signal(signal.SIGSTOP)
    try:
        converge(lambda: leads(two), within=FAILOVER_SECONDS)
        world.apply(world.push("pause:v2", V2))
        world.settled("Synced")
    finally:
        one.process.send_signal(signal.SIGCONT)
    converge(lambda: one.lines("following"))
    assert not leads(one)
    assert (world.phase(), world.digest()) == ("Synced", sha(V2))


def lease(world) -> dict:
    """What the Lease says."""
    return world.admin.get(Lease, controller_process.ACCOUNT, namespace=controller_process.INSTALL)["spec"]


def lapsed(world) -> bool:
    """Whether nobody has renewed the Lease for longer than it lasts."""
    said = lease(world)
    age = datetime.now(UTC) - datetime.fromisoformat(said["renewTime"])
    return age.total_seconds() > said["leaseDurationSeconds"] + 1


def test_a_pause_alone_loses_nothing(world, tmp_path):
    """One that slept for longer than its Lease lasts, and finds it its own still, works off what came meanwhile."""
    with controller_process.running(world.cluster, tmp_path / "one", LEASE) as one:
        world.apply(world.push("alone:v1", V1))
        world.settled("Synced")
        one.process.send_signal(signal.SIGSTOP)
        try:
            world.apply(world.push("alone:v2", V2))
            converge(lambda: lapsed(world))
        finally:
            one.process.send_signal(signal.SIGCONT)
        converge(lambda: world.phase() == "Synced" and world.digest() == sha(V2))
        assert lease(world)["leaseTransitions"] == 0


def test_wasmers_find_who_has_it(world, pair, token_file, tmp_path):
    """A wasmer gets a module from whichever controller has it, and from the other wasmer when none is there."""
    one, two = pair
    with serving_bytes(V1) as (url, _):
        world.apply("", source={"object": {"url": url}})
        world.settled("Synced")
        assert two.stop() == 0
        shutil.rmtree(two.data)
    two.start()
    flags = [f"--controller={two.url}", f"--controller={one.url}", f"--token-file={token_file}"]
    with (
        wasmer_process.running(tmp_path / "first", *flags) as first,
        wasmer_process.running(tmp_path / "second", f"--peer={first.url}", *flags) as second,
    ):
        assert first.get(sha(V1)).content == V1
        assert second.get(sha(V2)).status_code == 404
        one.stop(signal.SIGKILL)
        assert second.get(sha(V2)).status_code == 503
        assert second.get(sha(V1)).content == V1
        first.stop(signal.SIGKILL)
        assert second.get(sha(V1)).content == V1


def test_readiness_waits_for_what_stands_in_the_mesh(world, pair):
    """A controller with an empty store is ready once it has the modules of the mesh: it may replace another one."""
    two = pair[1]
    for version, data in (("v1", V1), ("v2", V2)):
        world.apply(world.push(f"ready:{version}", data), name=version)
        world.settled("Synced", version)
    assert two.stop() == 0
    shutil.rmtree(two.data)
    two.start()
    assert {path.name for path in (two.data / "sha256").iterdir()} == {sha(V1), sha(V2)}


def test_a_new_controller_gets_modules_back_from_wasmers(world, pair, token_file, tmp_path):
    """A new controller has what stands in the mesh though its source is gone: a wasmer gets it from the other one."""
    one, two = pair
    with serving_bytes(V1) as (url, _):
        world.apply("", source={"object": {"url": url}})
        world.settled("Synced")
        assert two.stop() == 0
        shutil.rmtree(two.data)
    before = versions(world)
    flags = [f"--controller={one.url}", f"--token-file={token_file}"]
    with wasmer_process.running(tmp_path / "wasmer", *flags) as wasmer:
        two.flags = (LEASE, f"--wasmer={wasmer.url}")
        two.start()
    assert (two.data / "sha256" / sha(V1)).read_bytes() == V1
    two.stop()
    two.flags = (LEASE,)  # what comes next is not that wasmer's to serve
    two.start()
    one.stop()
    converge(lambda: leads(two))
    world.witness(world.push("back:v1", V2))
    assert {key: version for key, version in versions(world).items() if key[1] == "test"} == before


def test_what_a_wasmer_says_is_verified(world, pair):
    """Other bytes than those of the digest are not kept, whoever hands them over."""
    two = pair[1]
    with serving_bytes(V1) as (url, _):
        world.apply("", source={"object": {"url": url}})
        world.settled("Synced")
        assert two.stop() == 0
        shutil.rmtree(two.data)
    with serving_bytes(V2) as (url, _):
        two.flags = (LEASE, f"--wasmer={url.removesuffix('/filter.wasm')}")
        two.start()
    assert two.lines("module not got back")
    assert not list((two.data / "sha256").iterdir())
