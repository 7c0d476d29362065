"""The whole controller against a real API server and real registries: what it leaves behind in both."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import httpx2
import pytest
from lightkube import ApiError
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Secret, ServiceAccount
from lightkube.types import PatchType

from autowasm.kube.kinds import AutoWasm, EnvoyFilter
from autowasm.registry.credentials import Credentials
from tests.programs import controller_process
from tests.programs.apiserver import converge
from tests.programs.world import (
    BAD,
    PASSWORD,
    USER,
    V1,
    V2,
    World,
    cleared,
    module,
    remote,
    serving_bytes,
    sha,
    wasmer_token,
)

pytestmark = pytest.mark.programs


@pytest.fixture
def world(cluster, registries):
    """The cluster without AutoWasms and EnvoyFilters, and the open registry."""
    return cleared(cluster, registries[0].host)


@pytest.fixture
def private(world, registries):
    """The same with the registry that wants a password."""
    with contextlib.suppress(ApiError):
        world.admin.delete(Secret, "pull", namespace="default")
    return World(world.cluster, registries[1].host, Credentials(USER, PASSWORD))


def test_an_autowasm_becomes_an_envoyfilter(world, controller):
    """The module is kept, an EnvoyFilter of the same name tells sidecars to run it; the status says so."""
    image = world.push("hello:v1", V1)
    world.apply(image, filter={"applyPorts": [9080], "rootID": "root"})
    world.settled("Synced")
    found = world.envoyfilter()
    assert remote(found)["sha256"] == sha(V1)
    assert remote(found)["httpUri"]["uri"] == f"wasmer.istio-system:8081/wasm/{sha(V1)}"
    assert found["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "autowasm"
    assert found["metadata"]["ownerReferences"][0]["name"] == "test"
    status = world.status()
    assert status["digest"] == f"sha256:{sha(V1)}"
    assert status["image"].startswith(f"{world.host}/hello@sha256:")
    says = {item["type"]: item["status"] for item in status["conditions"]}
    assert says == {
        "Pulled": "True",
        "Verified": "True",
        "Served": "Unknown",
        "Programmed": "True",
        "Loaded": "False",
    }
    assert (controller.data / "sha256" / sha(V1)).read_bytes() == V1


def test_a_new_image_replaces_the_old(world, controller):
    """An edit of the image leads to the new module; the old one stays there for sidecars that restart."""
    world.apply(world.push("up:v1", V1))
    world.settled("Synced")
    world.apply(world.push("up:v2", V2))
    world.settled("Synced")
    assert world.digest() == sha(V2)
    token = wasmer_token(world.cluster)
    assert controller.get(f"/blobs/{sha(V1)}", token).content == V1


@pytest.mark.usefixtures("controller")
def test_a_bad_module_never_gets_there(world):
    """A module that the check refuses leaves the working EnvoyFilter alone, and the status names the rule."""
    world.apply(world.push("bad:v1", V1))
    world.settled("Synced")
    before = world.envoyfilter()
    world.apply(world.push("bad:v2", BAD))
    world.settled("Degraded")
    assert world.envoyfilter() == before
    verified = world.condition("Verified")
    assert (verified["status"], "missing-import" in verified["message"]) == ("False", True)
    assert world.status()["digest"] == f"sha256:{sha(V1)}"
    world.apply(world.push("bad:v3", V2))
    world.settled("Synced")
    assert world.digest() == sha(V2)


def test_a_bad_module_alone(world, controller):
    """Where nothing stands in the mesh, a refused module is Failed and there is no EnvoyFilter."""
    world.apply(world.push("worse:v1", BAD))
    world.settled("Failed")
    assert world.envoyfilter() is None
    assert controller.process.poll() is None


@pytest.mark.usefixtures("controller")
def test_deletion_takes_the_envoyfilter_along(world):
    """With the AutoWasm goes its EnvoyFilter, without any garbage collector."""
    world.apply(world.push("gone:v1", V1))
    world.settled("Synced")
    world.delete()
    converge(lambda: world.envoyfilter() is None)


@pytest.mark.usefixtures("controller")
def test_what_is_not_ours_is_left_alone(world):
    """An EnvoyFilter of the name that we did not write is a conflict, untouched; when it goes, ours comes."""
    theirs = EnvoyFilter(
        apiVersion="networking.istio.io/v1alpha3",
        kind="EnvoyFilter",
        metadata={
            "name": "test",
            "namespace": "default",
            "labels": {"app.kubernetes.io/managed-by": "autowasm"},
        },
        spec={"workloadSelector": {"labels": {"app": "details"}}},
    )
    before = world.admin.create(theirs)
    world.apply(world.push("conflict:v1", V1))
    world.settled("Failed")
    assert world.condition("Programmed")["reason"] == "Conflict"
    assert world.envoyfilter() == before
    world.delete()
    # Another name is worked on after this one: when it is done, this one's deletion was seen too.
    world.witness(world.push("conflict:v1", V1))
    assert world.envoyfilter() == before
    world.apply(f"{world.host}/conflict:v1")
    world.settled("Failed")
    world.admin.delete(EnvoyFilter, "test", namespace="default")
    world.settled("Synced")
    assert world.digest() == sha(V1)


@pytest.mark.parametrize(
    "edit",
    [
        {"spec": {"workloadSelector": {"labels": {"app": "other"}}}},
        {"spec": {"workloadSelector": {"labels": {"version": "v2"}}}},
        {"spec": {"configPatches": []}},
        {"spec": {"priority": 7}},
        {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}},
    ],
    ids=["changed", "narrowed", "emptied", "added", "unlabelled"],
)
@pytest.mark.usefixtures("controller")
def test_drift_is_mended(world, edit):
    """Whatever somebody edits in our EnvoyFilter is put back, additions included."""
    world.apply(world.push("drift:v1", V1))
    world.settled("Synced")
    wanted = world.envoyfilter()
    world.admin.patch(EnvoyFilter, "test", edit, namespace="default", patch_type=PatchType.MERGE)
    converge(lambda: same(world.envoyfilter(), wanted))
    world.settled("Synced")


def same(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether spec and labels are equal."""
    return (found["spec"], found["metadata"].get("labels")) == (wanted["spec"], wanted["metadata"]["labels"])


@pytest.mark.usefixtures("controller")
def test_a_deleted_envoyfilter_comes_back(world, registries):
    """An EnvoyFilter that somebody deletes is written again, without another pull."""
    world.apply(world.push("again:v1", V1))
    world.settled("Synced")
    pulls = registries[0].requests("GET", "/again/")
    world.admin.delete(EnvoyFilter, "test", namespace="default")
    converge(lambda: world.digest() == sha(V1))
    assert registries[0].requests("GET", "/again/") == pulls


@pytest.mark.usefixtures("controller")
def test_a_private_registry(private):
    """A pull secret that is missing, then wrong, is named; once it is right the module arrives unasked."""
    image = private.push("secret:v1", V1)
    private.apply(image, secret="pull")
    private.settled("Failed")
    assert private.condition("Pulled")["reason"] == "SecretNotFound"
    private.secret("battery staple")
    converge(lambda: private.condition("Pulled")["reason"] == "Unauthorized")
    message = private.condition("Pulled")["message"]
    assert private.host in message
    assert "default/pull" in message
    assert private.envoyfilter() is None
    private.secret(PASSWORD)
    private.settled("Synced")
    assert private.digest() == sha(V1)


@pytest.mark.usefixtures("controller")
def test_a_right_is_not_inherited(private):
    """A module that another AutoWasm could pull is refused to one that shows no credential."""
    image = private.push("shared:v1", V1)
    private.secret(PASSWORD)
    private.apply(image, secret="pull")
    private.settled("Synced")
    private.apply(image, name="other")
    private.settled("Failed", "other")
    assert private.condition("Pulled", "other")["reason"] == "Unauthorized"
    assert private.envoyfilter("other") is None


@pytest.mark.usefixtures("controller")
def test_many_of_one_image_are_one_pull(world, registries):
    """However many AutoWasms want an image at once, its blob is fetched once."""
    image = world.push("many:v1", V1)
    for number in range(6):
        world.apply(image, name=f"many-{number}")
    for number in range(6):
        world.settled("Synced", f"many-{number}")
    blobs = [line for line in registries[0].log.read_text().splitlines() if '"GET /v2/many/blobs/' in line]
    assert len(blobs) == 1, blobs


def test_restart_with_an_empty_store(world, controller):
    """A controller that lost its store pulls exactly what is in the mesh, though the tag has moved."""
    image = world.push("moving:v1", V1)
    world.apply(image)
    world.settled("Synced")
    before = world.admin.get(AutoWasm, "test", namespace="default"), world.envoyfilter()
    assert controller.stop() == 0
    shutil.rmtree(controller.data)
    world.push("moving:v1", V2)
    controller.start()
    token = wasmer_token(world.cluster)
    converge(lambda: controller.get(f"/blobs/{sha(V1)}", token).status_code == 200)
    assert (world.admin.get(AutoWasm, "test", namespace="default"), world.envoyfilter()) == before
    assert controller.get(f"/blobs/{sha(V2)}", token).status_code == 404


def test_the_version_in_the_mesh_is_restored_too(world, controller):
    """A controller that lost its store while a refused version is wanted gets the working one again."""
    world.apply(world.push("both:v1", V1))
    world.settled("Synced")
    world.apply(world.push("both:v2", BAD))
    world.settled("Degraded")
    assert controller.stop() == 0
    shutil.rmtree(controller.data)
    controller.start()
    token = wasmer_token(world.cluster)
    converge(lambda: controller.get(f"/blobs/{sha(V1)}", token).status_code == 200)
    assert world.phase() == "Degraded"


def test_a_blob_that_vanishes_is_fetched_again(world, controller):
    """A module that is in the mesh and gone from the store is answered 503, never 404, until it is back."""
    world.apply(world.push("vanish:v1", V1))
    world.settled("Synced")
    token = wasmer_token(world.cluster)
    (controller.data / "sha256" / sha(V1)).unlink()
    first = controller.get(f"/blobs/{sha(V1)}", token)
    assert (first.status_code, "retry-after" in first.headers) == (503, True)
    converge(lambda: controller.get(f"/blobs/{sha(V1)}", token).content == V1)


def test_restart_changes_nothing(world, controller, registries):
    """A controller that starts anew over a settled cluster writes nothing and asks no registry."""
    world.apply(world.push("calm:v1", V1))
    world.settled("Synced")
    before = world.admin.get(AutoWasm, "test", namespace="default"), world.envoyfilter()
    controller.stop(signal.SIGKILL)
    asked = len(registries[0].log.read_text().splitlines())
    controller.start()
    world.witness(f"{world.host}/calm:v1")
    assert (world.admin.get(AutoWasm, "test", namespace="default"), world.envoyfilter()) == before
    assert registries[0].requests("HEAD", "/calm/") == 1 + registries_requests_before(registries, asked)


def registries_requests_before(registries, count: int) -> int:
    """How many HEADs to /calm/ the registry had answered in its first ``count`` lines of log."""
    lines = registries[0].log.read_text().splitlines()[:count]
    return sum('"HEAD ' in line and "/calm/" in line for line in lines)


def test_orphans_go_when_the_controller_starts(world, controller):
    """An EnvoyFilter whose AutoWasm went while no controller ran goes at the next start; a copy stays."""
    world.apply(world.push("orphan:v1", V1))
    world.settled("Synced")
    controller.stop()
    world.delete()
    copy = json.loads(json.dumps(world.envoyfilter()))
    copy["metadata"] = {
        "name": "copy",
        "namespace": "default",
        "labels": copy["metadata"]["labels"],
        "ownerReferences": copy["metadata"]["ownerReferences"],
    }
    world.admin.create(EnvoyFilter(copy))
    controller.start()
    converge(lambda: world.envoyfilter() is None)
    assert world.envoyfilter("copy") is not None


@pytest.mark.usefixtures("controller")
def test_a_module_that_needs_no_vm_configuration(world):
    """A module that refuses the configuration which a pinned vmID brings is said to need an empty vmID."""
    image = world.push("vm:v1", module("good/needs-empty-vm-config"))
    world.apply(image, filter={"vmID": "pinned"})
    world.settled("Failed")
    assert "vm-config-digest" in world.condition("Verified")["message"]
    world.apply(image, filter={"vmID": None})
    world.settled("Synced")


@pytest.mark.usefixtures("controller")
def test_an_image_that_is_pushed_later(world):
    """An AutoWasm that was applied before its image was pushed becomes Synced by itself."""
    world.apply(f"{world.host}/later:v1")
    world.settled("Failed")
    assert world.condition("Pulled")["reason"] == "NotFound"
    world.push("later:v1", V1)
    world.settled("Synced")


@pytest.mark.usefixtures("controller")
def test_a_reference_that_is_none(world):
    """An image that no registry could have is a failure, and says so."""
    world.apply("registry.example/UPPER:v1")
    world.settled("Failed")
    assert world.condition("Pulled")["status"] == "False"


def test_an_object_url(world, controller):
    """A module at a plain URL is fetched, and a change behind the URL does not change the mesh silently."""
    with serving_bytes(V1) as (url, contents):
        world.apply("", source={"object": {"url": url}})
        world.settled("Synced")
        assert world.digest() == sha(V1)
        contents[0] = V2
        assert controller.stop() == 0
        shutil.rmtree(controller.data)
        controller.start()
        converge(lambda: world.condition("Pulled").get("reason") == "SourceChanged")
        assert (world.phase(), world.digest()) == ("Degraded", sha(V1))
        world.apply("", source={"object": {"url": f"{url}?v2"}})
        world.settled("Synced")
        assert world.digest() == sha(V2)


def test_who_may_fetch_modules(world, controller):
    """Only the ServiceAccount of wasmer, with a token made for the controller, gets a module."""
    world.apply(world.push("blobs:v1", V1))
    world.settled("Synced")
    cluster, path = world.cluster, f"/blobs/{sha(V1)}"
    with contextlib.suppress(ApiError):
        cluster.admin.create(ServiceAccount(metadata=ObjectMeta(name="wasmer", namespace="default")))
    answer = controller.get(path, wasmer_token(cluster))
    assert (answer.status_code, answer.content) == (200, V1)
    assert answer.headers["content-length"] == str(len(V1))
    assert controller.get(path).status_code == 401
    assert controller.get(path, "nonsense").status_code == 401
    assert controller.get(path, cluster.token(controller_process.INSTALL, "wasmer")).status_code == 401
    assert controller.get(path, wasmer_token(cluster, "autowasm-controller")).status_code == 403
    assert controller.get(path, wasmer_token(cluster, namespace="default")).status_code == 403
    assert controller.get(f"/blobs/{'0' * 64}", wasmer_token(cluster)).status_code == 404
    assert controller.get("/blobs/short", wasmer_token(cluster)).status_code == 400


def test_a_wasmer_fills_itself_from_the_controller(world, controller, tmp_path):
    """A wasmer that is asked for the module of a new EnvoyFilter gets it from the controller."""
    world.apply(world.push("fill:v1", V1))
    world.settled("Synced")
    token = tmp_path / "token"
    token.write_text(wasmer_token(world.cluster))
    log = tmp_path / "wasmer.log"
    command = [
        sys.executable,
        "-m",
        "autowasm.wasmer",
        "--listen=127.0.0.1:0",
        f"--data={tmp_path / 'wasmer'}",
    ]
    with log.open("wb") as output:
        wasmer = subprocess.Popen(
            [*command, f"--controller={controller.url}", f"--token-file={token}"], stderr=output
        )
    try:
        lines = converge(lambda: [line for line in log.read_text().splitlines() if '"serving"' in line])
        url = f"http://127.0.0.1:{json.loads(lines[0])['port']}/wasm/"
        assert httpx2.get(url + sha(V1), trust_env=False).content == V1
        assert httpx2.get(url + sha(V2), trust_env=False).status_code == 404
    finally:
        wasmer.terminate()
        assert wasmer.wait(30) == 0


def test_numbers_are_told(world, controller):
    """The metrics page counts the pull and the phases."""
    world.apply(world.push("numbers:v1", V1))
    world.settled("Synced")
    page = controller.get("/metrics").text
    assert 'autowasm_controller_pulls_total{result="done",source="registry"} 1.0' in page
    assert 'autowasm_controller_autowasms{phase="Synced"} 1.0' in page


def test_a_failing_name_does_not_spin(world, controller):
    """A name that cannot succeed is tried with growing waits, and does not hold up another one."""
    world.apply(f"{world.host}/never:v1", name="never")
    world.settled("Failed", "never")
    started = time.monotonic()
    world.apply(world.push("meanwhile:v1", V1))
    world.settled("Synced")
    assert time.monotonic() - started < 5
    text = controller.get("/metrics").text
    failed = next(
        line
        for line in text.splitlines()
        if line.startswith('autowasm_controller_reconciles_total{result="failed')
    )
    assert float(failed.split()[-1]) <= 2 + 2 * (time.monotonic() - started) / 0.17


def test_slow_registries_are_pending(world, controller):
    """A module that takes long leaves the AutoWasm Pulling, not without any status."""
    with stalled() as host:
        world.apply(f"{host}/slow:v1")
        world.settled("Pulling")
        assert world.condition("Pulled")["status"] == "Unknown"
        assert controller.stop() == 0


@contextlib.contextmanager
def stalled():
    """A loopback address that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_kubeconfig_that_is_none(tmp_path):
    """Bad input is one line on stderr and exit code 2."""
    command = [sys.executable, "-m", "autowasm.controller", f"--data={tmp_path}", "--listen=127.0.0.1:0"]
    done = subprocess.run(
        [*command, f"--kubeconfig={tmp_path / 'none'}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: usage: kubeconfig")
    assert "Traceback" not in done.stderr
