"""Images made here, in a real engine: what they are called, what runs in them, and what a killed making leaves."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("docker")

import docker

from harness import images
from harness.images import debian, rootfs
from harness.images.store import Store
from harness.images.value import LABEL
from harness.services import engine
from harness.services.engine import Engine

pytestmark = [pytest.mark.programs, pytest.mark.timeout(1800)]  # a first making fetches a Debian file system

MAKE = """
from harness.images import rootfs
rootfs.ensure(lambda event: print(type(event).__name__, flush=True))
"""


def _until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def answering() -> Iterator[Engine]:
    """The engine that answers here."""
    found = engine.answering()
    if found is None:
        pytest.skip("no container engine answers")
    if not rootfs.place().is_file() and debian.refusal():
        pytest.skip(str(debian.refusal()))
    yield found
    found.client.close()


@pytest.fixture(scope="module")
def made(answering: Engine) -> images.Images:
    """All images, made where the engine lacks them."""
    return images.ensure(answering, lambda _event: None, origin="built")


def _run(answering: Engine, image: str, *command: str, **how: object) -> str:
    settings = {"network_mode": "none", "read_only": True, "remove": True, "labels": {LABEL: "test"}, **how}
    return answering.client.containers.run(image, list(command), **settings).decode()


def test_a_second_asking_does_nothing(answering: Engine, made: images.Images) -> None:
    """What is in the engine is found by its name: nothing is made, and nothing is told."""
    told: list[object] = []
    began = time.monotonic()
    assert images.ensure(answering, told.append, origin="built") == made
    assert told == []
    assert images.ensure(answering, told.append, origin="auto").origin == "built"
    assert time.monotonic() - began < 10
    assert Store(answering).missing([made.node, made.registry, *made.load]) == []


def test_everything_made_carries_the_label(answering: Engine, made: images.Images) -> None:
    """What is labelled can be listed and pruned; stages of a build are too."""
    names = {kept.name for kept in Store(answering).ours()}
    assert {made.node, made.registry, made.autowasm, made.apps} <= names


@pytest.mark.parametrize("program", ["wasmer", "autowasm-controller", "wasmc", "autowasm"])
def test_the_systems_programs_run_in_their_image(
    answering: Engine, made: images.Images, program: str
) -> None:
    """Each starts as a user without rights, on a file system that cannot be written, without a network."""
    assert _run(answering, made.autowasm, program, "--version").startswith(f"{program}, version ")


def test_the_systems_image_holds_the_system_only(answering: Engine, made: images.Images) -> None:
    """What runs in production has neither the harness nor an installer, and is not root."""
    script = (
        "import importlib.util, os, json, wasmtime;"
        "print(json.dumps([os.getuid(), *map(bool, map(importlib.util.find_spec, ('harness', 'pip', 'hatchling')))]))"
    )
    assert json.loads(_run(answering, made.autowasm, "python", "-c", script)) == [65532, False, False, False]


def test_the_apps_run_in_their_image(answering: Engine, made: images.Images) -> None:
    """Details and the client start, with what they import of this checkout and nothing else of the harness."""
    for name in ("details", "client"):
        assert "--port" in _run(
            answering, made.apps, "python3", "-m", f"harness.services.apps.{name}", "--help"
        )
    assert _run(answering, made.apps, "ls", "/opt/apps/harness/services/apps").count("details.py") == 1
    assert "meshes" not in _run(answering, made.apps, "ls", "/opt/apps/harness").split()


def test_the_node_has_what_kind_asks_for(answering: Engine, made: images.Images) -> None:
    """Programs that run, the version file, the manifests, and an image for each name of kubeadm's."""
    script = (
        "kubelet --version; kubeadm version -o short; kubectl version --client; ctr --version; cat /kind/version;"
        "ls /kind/manifests /kind/images /kind/images/mesh; iptables --version; ls /usr/lib/cni/bridge /sbin/init"
    )
    said = _run(answering, made.node, "-c", script, entrypoint="/bin/bash")
    assert said.count("v1.36.4") >= 3
    for name in (
        "kube-apiserver.tar",
        "pause.tar",
        "proxyv2.tar",
        "default-cni.yaml",
        "nf_tables",
        "/sbin/init",
    ):
        assert name in said


def test_the_registry_serves_and_can_be_pulled_from_by_digest(
    answering: Engine, made: images.Images, request: pytest.FixtureRequest
) -> None:
    """The registry's image keeps what is pushed; a released image is found by name and pulled by name and digest."""
    name = f"test-images-{os.getpid()}"
    network = answering.client.networks.create(
        name, labels={LABEL: "test"}
    )  # our own engine has no default one
    request.addfinalizer(network.remove)
    container = answering.client.containers.run(
        made.registry,
        detach=True,
        network=name,
        ports={"5000/tcp": ("127.0.0.1", None)},
        labels={LABEL: "test"},
    )
    request.addfinalizer(lambda: container.remove(force=True, v=True))
    container.reload()
    host = f"127.0.0.1:{container.ports['5000/tcp'][0]['HostPort']}"

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://{host}/v2/", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    _until(answers)
    store = Store(answering)
    name = f"{host}/thing:1"
    assert store.registry_answers(name) != ""
    answering.client.images.get(made.registry).tag(f"{host}/thing", "1")
    request.addfinalizer(lambda: _forget(answering, name))
    answering.client.images.push(f"{host}/thing", "1")
    assert store.registry_answers(name) == ""
    pinned = f"{name}@{answering.client.images.get_registry_data(name).id}"
    _forget(answering, name)
    assert store.missing([pinned]) == [pinned]
    request.addfinalizer(lambda: _forget(answering, pinned))
    store.pull(pinned)
    assert store.missing([pinned]) == []


def _forget(answering: Engine, name: str) -> None:
    with contextlib.suppress(docker.errors.ImageNotFound):
        answering.client.images.remove(name, force=False)


@pytest.mark.skipif(bool(debian.refusal()), reason=str(debian.refusal()))
def test_a_killed_debootstrap_leaves_nothing(tmp_path: Path) -> None:
    """Neither a file system that could be taken for a whole one, nor a mount, nor a process."""
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    folder = tmp_path / "autowasm-harness" / "images"
    run = subprocess.Popen([sys.executable, "-c", MAKE], env=environment, stdout=subprocess.PIPE, text=True)

    def far() -> bool:
        log = folder / "debootstrap.log"
        return run.poll() is not None or (log.is_file() and "Validating" in log.read_text(errors="replace"))

    with run:
        _until(far, 300)
        assert run.poll() is None, "it ended before it could be killed: is the mirror reachable?"
        run.send_signal(signal.SIGKILL)
    _until(lambda: not _running(str(folder)))
    assert not list(folder.glob("debian-*.tar"))
    assert str(folder) not in Path("/proc/mounts").read_text()
    shutil.rmtree(tmp_path / "autowasm-harness")


def _running(word: str) -> bool:
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in status.read_bytes():
                return True
        except OSError:
            continue
    return False


def test_the_command_says_what_was_made_and_what_is_there(made: images.Images) -> None:
    """`harness images build` names each image, `list` marks those that are used, and both are JSON where asked."""
    said = _command("build")
    assert (said["node"], said["apps"], said["origin"]) == (made.node, made.apps, "built")
    used = {row["name"] for row in _command("list") if row["current"]}
    assert {made.node, made.registry, made.autowasm, made.apps, rootfs.place().name} <= used


def _command(name: str) -> Any:
    argv = [sys.executable, "-m", "harness", "images", name, "--output", "json"]
    return json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout)
