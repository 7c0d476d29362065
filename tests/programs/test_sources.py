"""What a source holds, who may have it, and when it is asked: the whole controller against real registries."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import ssl
import time

import httpx2
import pytest
from lightkube import ApiError
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Secret
from lightkube.types import PatchType

from autowasm.kube.kinds import EnvoyFilter
from autowasm.registry.credentials import Credentials
from tests.programs import apiserver, registry_server
from tests.programs.apiserver import converge
from tests.programs.world import (
    BAD,
    PASSWORD,
    USER,
    V1,
    V2,
    World,
    cleared,
    serving_bytes,
    sha,
    wasmer_token,
)

pytestmark = pytest.mark.programs

LOGIN = {"username": USER, "password": PASSWORD}


@pytest.fixture
def world(cluster, registries):
    """The cluster without AutoWasms and EnvoyFilters, and the open registry."""
    return cleared(cluster, registries[0].host)


@pytest.fixture
def private(world, registries):
    """The same with the registry that wants a password, and no Secret."""
    for name in ("pull", "weak"):
        with contextlib.suppress(ApiError):
            world.admin.delete(Secret, name, namespace="default")
    return World(world.cluster, registries[1].host, Credentials(USER, PASSWORD))


def put_secret(world: World, name: str, kind: str, data: dict[str, str]) -> None:
    """Write a Secret."""
    encoded = {field: base64.b64encode(text.encode()).decode() for field, text in data.items()}
    obj = Secret(
        metadata=ObjectMeta(name=name, namespace="default"), type=f"kubernetes.io/{kind}", data=encoded
    )
    world.admin.apply(obj, force=True)


def envoyfilter_version(world: World) -> str:
    """The EnvoyFilter's resourceVersion."""
    found = world.envoyfilter()
    assert found
    return found["metadata"]["resourceVersion"]


@pytest.mark.usefixtures("controller")
@pytest.mark.parametrize("kind", ["dockercfg", "basic-auth"])
def test_other_kinds_of_secrets(private, kind):
    """Secrets of the legacy type and of plain user names and passwords open a private registry, too."""
    data = {".dockercfg": json.dumps({private.host: LOGIN})} if kind == "dockercfg" else LOGIN
    put_secret(private, kind, kind, data)
    private.apply(private.push("kinds:v1", V1), secret=kind)
    private.settled("Synced")
    assert private.digest() == sha(V1)


@pytest.mark.usefixtures("controller")
def test_a_rotation_is_seen_at_once(private, registries):
    """A Secret that is corrected leads to a try long before the next one is due."""
    private.secret("battery staple")
    private.apply(private.push("rotated:v1", V1), secret="pull")
    private.settled("Failed")
    heads = registries[1].requests("HEAD", "/rotated/")
    # Waits double from 0.2 s on: behind the sixth try lie six seconds and more.
    converge(lambda: registries[1].requests("HEAD", "/rotated/") >= heads + 5)
    corrected = time.monotonic()
    private.secret(PASSWORD)
    private.settled("Synced")
    assert time.monotonic() - corrected < 5


@pytest.mark.usefixtures("controller")
def test_each_secret_must_open_the_registry(private):
    """An AutoWasm that names another Secret is refused what that one does not open, though the module is here."""
    image = private.push("edited:v1", V1)
    private.secret(PASSWORD)
    put_secret(private, "weak", "basic-auth", LOGIN | {"password": "battery staple"})
    private.apply(image, secret="pull")
    private.settled("Synced")
    before = envoyfilter_version(private)
    private.apply(image, secret="weak", filter={"rootID": "changed"})
    private.settled("Degraded")
    pulled = private.condition("Pulled")
    assert pulled["reason"] == "Unauthorized"
    assert "default/weak" in pulled["message"]
    assert envoyfilter_version(private) == before


@pytest.mark.usefixtures("controller")
def test_a_right_is_asked_for_again(private):
    """Under Always a right that is gone is noticed, and from then on no EnvoyFilter is written, until it is back."""
    private.secret(PASSWORD)
    private.apply(private.push("again:v1", V1), secret="pull", imagePullPolicy="Always", resyncInterval="1s")
    private.settled("Synced")
    private.admin.delete(Secret, "pull", namespace="default")
    private.settled("Degraded")
    assert private.condition("Pulled")["reason"] == "SecretNotFound"
    private.admin.delete(EnvoyFilter, "test", namespace="default")
    private.settled("Failed")
    assert private.envoyfilter() is None
    private.secret(PASSWORD)
    private.settled("Synced")
    assert private.digest() == sha(V1)


@pytest.mark.usefixtures("controller")
def test_what_was_deleted_needs_its_right_again(private):
    """An EnvoyFilter that somebody deleted is not written again where the right to its image is gone meanwhile."""
    private.secret(PASSWORD)
    private.apply(private.push("deleted:v1", V1), secret="pull")
    private.settled("Synced")
    private.secret("battery staple")
    private.admin.delete(EnvoyFilter, "test", namespace="default")
    private.settled("Failed")
    assert private.condition("Pulled")["reason"] == "Unauthorized"
    assert private.envoyfilter() is None
    private.secret(PASSWORD)
    private.settled("Synced")
    assert private.digest() == sha(V1)


def test_a_right_is_not_inherited_from_a_store(private, controller):
    """A controller that has a module from before its start refuses it to who shows no credential for it."""
    image = private.push("stored:v1", V1)
    private.secret(PASSWORD)
    private.apply(image, secret="pull")
    private.settled("Synced")
    assert controller.stop() == 0
    private.apply(image, name="other")
    controller.start()
    private.settled("Failed", "other")
    assert private.condition("Pulled", "other")["reason"] == "Unauthorized"
    assert private.envoyfilter("other") is None
    private.delete("other")


@pytest.mark.usefixtures("controller")
def test_a_moving_tag(world):
    """Under Always a moved tag is rolled out; a bad module leaves the good one, and a good one heals it."""
    image = world.push("moving-tag:latest", V1)
    world.apply(image, imagePullPolicy="Always", resyncInterval="1s")
    world.apply(image, name="once")
    world.settled("Synced")
    world.settled("Synced", "once")
    world.push("moving-tag:latest", V2)
    converge(lambda: world.digest() == sha(V2))
    world.push("moving-tag:latest", BAD)
    world.settled("Degraded")
    assert world.digest() == sha(V2)
    world.push("moving-tag:latest", V1)
    converge(lambda: world.digest() == sha(V1))
    world.settled("Synced")
    assert world.digest("once") == sha(V1)
    world.delete("once")


def test_a_restart_looks_at_moving_tags(world, controller):
    """A tag that moved while no controller ran is rolled out at the next start, however long the interval is."""
    image = world.push("overnight:latest", V1)
    world.apply(image, imagePullPolicy="Always", resyncInterval="24h")
    world.settled("Synced")
    assert controller.stop() == 0
    world.push("overnight:latest", V2)
    controller.start()
    converge(lambda: world.digest() == sha(V2))


@pytest.mark.usefixtures("controller")
def test_an_object_that_changes(world):
    """Under Always an object that changes at its URL is rolled out."""
    with serving_bytes(V1) as (url, contents):
        world.apply("", source={"object": {"url": url}}, imagePullPolicy="Always", resyncInterval="1s")
        world.settled("Synced")
        contents[0] = V2
        converge(lambda: world.digest() == sha(V2))


@pytest.mark.usefixtures("controller")
@pytest.mark.parametrize("policy", ["Always", "IfNotPresent"])
def test_a_registry_that_is_gone_takes_nothing(world, tmp_path, policy):
    """What a registry gave is mended while it is down; where it is asked again and again, the status tells of it."""
    (tmp_path / "registry").mkdir()
    with registry_server.running(tmp_path / "registry") as short:
        there = World(world.cluster, short.host)
        there.apply(there.push("gone:latest", V1), imagePullPolicy=policy, resyncInterval="1s")
        there.settled("Synced")
    if policy == "Always":
        world.settled("Degraded")
        assert world.condition("Pulled")["reason"] == "Unreachable"
    world.admin.delete(EnvoyFilter, "test", namespace="default")
    converge(lambda: world.digest() == sha(V1))


@pytest.mark.usefixtures("controller")
def test_a_pinned_digest(world):
    """A source that holds another module than the pinned one is refused by both digests, until it holds that."""
    image = world.push("pinned:latest", V2)
    world.apply("", source={"registry": {"image": image}, "sha256": f"sha256:{sha(V1)}"})
    world.settled("Failed")
    pulled = world.condition("Pulled")
    assert pulled["reason"] == "PinMismatch"
    assert f"must hold sha256:{sha(V1)}: holds sha256:{sha(V2)}" in pulled["message"]
    assert world.envoyfilter() is None
    world.push("pinned:latest", V1)
    world.settled("Synced")
    assert world.digest() == sha(V1)


def test_suspension(world, controller, registries):
    """While it is suspended nothing is pulled or written, not even mended; what is in the mesh stays served."""
    world.apply(world.push("suspended:v1", V1))
    world.settled("Synced")
    image = world.push("suspended:v2", V2)
    asked = registries[0].requests("HEAD", "/suspended/")
    world.apply(image, suspend=True)
    converge(lambda: world.condition("Suspended").get("status") == "True")
    edit = {"spec": {"workloadSelector": {"labels": {"app": "edited"}}}}
    world.admin.patch(EnvoyFilter, "test", edit, namespace="default", patch_type=PatchType.MERGE)
    assert controller.stop() == 0
    shutil.rmtree(controller.data)
    controller.start()
    token = wasmer_token(world.cluster)
    converge(lambda: controller.get(f"/blobs/{sha(V1)}", token).status_code == 200)
    world.witness(world.push("witness:v1", V1))
    assert world.envoyfilter()["spec"]["workloadSelector"]["labels"]["app"] == "edited"
    assert world.digest() == sha(V1)
    assert registries[0].requests("GET", "/suspended/manifests/v2") == 0
    assert registries[0].requests("HEAD", "/suspended/") == asked
    world.apply(image)
    world.settled("Synced")
    assert world.digest() == sha(V2)
    assert world.condition("Suspended") == {}
    world.apply(image, suspend=True)
    converge(lambda: world.condition("Suspended").get("status") == "True")
    world.delete()
    converge(lambda: world.envoyfilter() is None)


DEEP = 2000
"""More than Python's JSON parser goes down, less than the API server's."""


@pytest.mark.usefixtures("controller")
def test_a_bottomless_configuration(world):
    """A configuration that is nested beyond all use is refused; it stops nobody else's work, nor any later list."""
    text = json.dumps(
        {
            "apiVersion": "wasm.tcm.io/v1alpha1",
            "kind": "AutoWasm",
            "metadata": {"name": "deep", "namespace": "default"},
            "spec": {
                "filter": {"source": {"registry": {"image": "a/b"}}, "pluginConfig": "DEEP"},
                "selector": {"matchLabels": {"app": "deep"}},
            },
        }
    ).replace('"DEEP"', "[" * DEEP + "]" * DEEP)
    url = f"{world.cluster.url}/apis/wasm.tcm.io/v1alpha1/namespaces/default/autowasms"
    trust = ssl.create_default_context(cafile=world.cluster.ca)
    headers = {"authorization": f"Bearer {apiserver.ADMIN_TOKEN}", "content-type": "application/json"}
    with httpx2.Client(verify=trust, headers=headers, trust_env=False) as client:
        client.post(url, content=text).raise_for_status()
        world.witness(world.push("deep:v1", V1))
        client.delete(f"{url}/deep").raise_for_status()
