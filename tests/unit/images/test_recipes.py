"""What images are made of, and what Istio and the node are told."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from harness.images import checkout, controlplane, mesh, nodeimage, released, wheels
from harness.toolchain.programs import KIND

LISTED = """registry.k8s.io/kube-apiserver:v1.36.4
registry.k8s.io/kube-controller-manager:v1.36.4
registry.k8s.io/kube-scheduler:v1.36.4
registry.k8s.io/kube-proxy:v1.36.4
registry.k8s.io/coredns/coredns:v1.14.2
registry.k8s.io/pause:3.10.2
registry.k8s.io/etcd:3.6.8-0
"""


def test_kubeadms_images_are_known_by_their_last_part() -> None:
    """Every image that kubeadm names has a recipe, and every recipe a name."""
    said = controlplane.parse(LISTED)
    assert set(said) == set(controlplane.IMAGES)
    assert said["coredns"] == "registry.k8s.io/coredns/coredns:v1.14.2"
    assert controlplane.config(said["coredns"]).entrypoint == ("/coredns",)
    assert controlplane.config(said["etcd"]).entrypoint == ()


def test_a_cluster_asks_for_every_program_that_its_images_hold() -> None:
    """Whoever builds the programs of a kind mesh beforehand builds no other one during it."""
    wanted = {*controlplane.PROGRAMS, *nodeimage.PROGRAMS, *mesh.PROGRAMS, "registry", "kind", "helm"}
    assert wanted == set(KIND)


@pytest.mark.parametrize("plain_envoy", [True, False])
def test_no_sidecar_tries_again(plain_envoy: bool) -> None:
    """A retry of the client's sidecar would hide the failure that a scenario is there to find: on either origin."""
    values = mesh.values("hub.example", "1", plain_envoy=plain_envoy)
    assert values["meshConfig"]["defaultHttpRetryPolicy"] == {"attempts": 0}
    assert (values["global"]["hub"], values["global"]["tag"]) == ("hub.example", "1")
    assert ("PILOT_ENABLE_METADATA_EXCHANGE" in values.get("env", {})) == plain_envoy
    assert values["global"]["imagePullPolicy"] == ("Never" if plain_envoy else "IfNotPresent")
    assert "hub" not in mesh.VALUES["global"]  # the table stays as it is


def test_every_file_of_the_node_has_a_place() -> None:
    """A unit that is written and not put in would be missed by the first cluster only."""
    placed = {*nodeimage._PLACES, "containerd.toml"}
    assert placed == {path.name for path in nodeimage.FILES.iterdir()}


@pytest.mark.parametrize("name", ["entrypoint", "make-cgroups", "take-images"])
def test_the_nodes_scripts_are_shell(name: str) -> None:
    """Each script of the node parses."""
    script = nodeimage.FILES / name
    shell = script.read_text().splitlines()[0].removeprefix("#!")
    subprocess.run([shell, "-n", script], check=True, timeout=10)


def test_the_nodes_manifests_and_settings_are_what_they_say() -> None:
    """Kubectl and the container runtime read them, at a time when nobody watches."""
    for name, kind in (("default-cni.yaml", "ConfigMap"), ("default-storage.yaml", "StorageClass")):
        assert yaml.safe_load((nodeimage.FILES / name).read_text())["kind"] == kind
    network = json.loads((nodeimage.FILES / "pods.conflist").read_text())
    assert network["plugins"][0]["ipam"]["ranges"] == [[{"subnet": "10.244.0.0/24"}]]
    assert "@pause@" in (nodeimage.FILES / "containerd.toml").read_text()


def test_the_kubelet_waits_for_the_images_and_nobody_else_does() -> None:
    """Images come in while certificates are made: only the kubelet is ordered behind them."""
    units = {
        name: (nodeimage.FILES / f"{name}.service").read_text() for name in ("cluster-images", "kubelet")
    }
    assert "Before=kubelet.service" in units["cluster-images"]
    for text in units.values():
        assert "DefaultDependencies=no" in text  # or multi-user.target, which kind waits for, would wait


@pytest.mark.parametrize("name", [released.REGISTRY, released.PYTHON])
def test_released_images_are_pinned(name: str) -> None:
    """A released image has a registry and a version, never `latest`."""
    assert re.fullmatch(r"docker\.io/[a-z/]+:[0-9][\w.-]*(@sha256:[0-9a-f]{64})?", name)


def test_the_python_that_wheels_are_fetched_for_is_the_images() -> None:
    """Wheels for another Python would not install."""
    assert released.PYTHON.startswith(f"docker.io/library/python:{released.PYTHON_VERSION}-")
    assert (
        released.PYTHON in (checkout.ROOT / checkout.CONTAINERFILE).read_text()
    )  # what a user's build takes too


def test_a_tag_names_what_an_image_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the apps import changes their tag only; the system's changes both; the base's name changes both."""
    apps = [f"{module.replace('.', '/')}.py" for module in checkout._APPS]
    for name in (
        "autowasm/Containerfile",
        "pyproject.toml",
        "autowasm/a.py",
        "harness/b.py",
        "README.md",
        *apps,
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("x")
    (tmp_path / apps[0]).write_text("import harness.b")
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    first = checkout.tags("base:1")
    (tmp_path / "README.md").write_text("y")
    (tmp_path / "harness" / "unrelated.py").write_text("y")
    (tmp_path / "autowasm" / "__pycache__").mkdir()
    (tmp_path / "autowasm" / "__pycache__" / "b.pyc").write_text("y")
    assert checkout.tags("base:1") == first
    (tmp_path / "harness/b.py").write_text("y")
    second = checkout.tags("base:1")
    assert second[0] == first[0]
    assert second[1] != first[1]
    (tmp_path / "autowasm/a.py").write_text("y")
    third = checkout.tags("base:1")
    assert not {*third} & {*first, *second}
    assert not {*checkout.tags("base:2")} & {*third}


def test_wheels_are_kept_by_what_was_asked_for() -> None:
    """The order in which dependencies are written is no reason to fetch them again; another floor is."""
    assert wheels.key(["a>=1", "b"]) == wheels.key(["b", "a>=1"])
    assert wheels.key(["a>=1", "b"]) != wheels.key(["a>=2", "b"])
