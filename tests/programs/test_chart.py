"""The chart, rendered by the real helm and given to a real API server."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import re
import subprocess
import threading
from pathlib import Path

import pytest
import yaml
from lightkube import ApiError
from lightkube.codecs import from_dict
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import Namespace, Pod, Service

from autowasm.controller import cli as controller_cli
from autowasm.istio import crd, install
from autowasm.istio.envoyfilter import Install
from autowasm.wasmer import cli as wasmer_cli
from harness.toolchain import binaries
from tests.programs import apiserver

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "wasmer"
VALUES = ROOT / "tests" / "cases" / "values"
GOOD, BAD = sorted(VALUES.glob("good/*.yaml")), sorted(VALUES.glob("bad/*.yaml"))
PROGRAMS = {"wasmer": wasmer_cli.main, "autowasm-controller": controller_cli.main}


class Helm:
    """helm with settings of its own."""

    def __init__(self, folder: Path) -> None:
        self.program = binaries.ensure(["helm"], lambda _: None).path("helm")
        names = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")
        self.environment = {**os.environ, **{name: str(folder / name) for name in names}}
        self.environment["KUBECONFIG"] = str(folder / "kubeconfig")

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """One call of it."""
        command = [self.program, *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )

    def ok(self, *arguments: str | Path) -> str:
        """What a call says that must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def objects(self, *arguments: str | Path) -> list[dict]:
        """What the chart becomes, without the CRD."""
        text = self.ok("template", "release", CHART, *arguments)
        return [found for found in yaml.safe_load_all(text) if found]


@pytest.fixture(scope="module")
def helm(tmp_path_factory):
    """Helm without a cluster."""
    return Helm(tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """An API server with the namespaces of the cases."""
    with apiserver.running(tmp_path_factory.mktemp("cluster")) as (cluster, _):
        for name in ("istio-system", "mesh"):
            labels = {"pod-security.kubernetes.io/enforce": "restricted"}
            cluster.admin.create(Namespace(metadata=ObjectMeta(name=name, labels=labels)))
        yield cluster


@pytest.fixture
def release(cluster, tmp_path):
    """Helm at that API server; what it installed is uninstalled."""
    found = Helm(tmp_path)
    found.environment["KUBECONFIG"] = str(cluster.admin_kubeconfig())
    yield found
    for one in json.loads(found.ok("list", "-A", "-o", "json")):
        found.ok("uninstall", one["name"], "-n", one["namespace"])


def name_of(obj: dict) -> tuple[str, str]:
    """Kind and name."""
    return obj["kind"], obj["metadata"]["name"]


def deployments(objects: list[dict]) -> dict[str, dict]:
    """The pods' specs by the name of the Deployment."""
    return {
        obj["metadata"]["name"]: obj["spec"]["template"]["spec"]
        for obj in objects
        if obj["kind"] == "Deployment"
    }


def test_lint(helm):
    """Helm finds no fault with the chart."""
    helm.ok("lint", "--strict", CHART)


def test_the_crd_is_the_programs_own(helm):
    """The chart brings the CRD that the program prints, where the line of its notes finds it."""
    assert yaml.safe_load(helm.ok("show", "crds", CHART)) == crd.crd()


@pytest.mark.parametrize(
    ("flags", "namespace"),
    [
        (["-n", "istio-system"], "istio-system"),
        ([], "istio-system"),
        (["-n", "mesh"], "mesh"),
        (["-n", "istio-system", "--set", "namespace=mesh"], "mesh"),
    ],
    ids=["istio-system", "no namespace", "another", "a value"],
)
def test_equal_to_manifests(helm, flags, namespace):
    """Beside its Deployments the chart has exactly the objects that ``autowasm manifests`` prints."""
    rendered = {name_of(obj): obj for obj in helm.objects(*flags) if obj["kind"] != "Deployment"}
    printed = {name_of(obj): obj for obj in install.manifests(Install(namespace))}
    del printed["CustomResourceDefinition", f"autowasms.{crd.GROUP}"]
    assert rendered == printed


@pytest.mark.parametrize("namespace", ["istio-system", "mesh"])
def test_everybody_is_told_the_namespace(helm, namespace):
    """Flags and Deployments follow the namespace of the installation."""
    objects = helm.objects("-n", namespace)
    assert {obj["metadata"].get("namespace", namespace) for obj in objects} == {namespace}
    wasmer, controller = (
        deployments(objects)[name]["containers"][0]["args"] for name in ("wasmer", "autowasm-controller")
    )
    assert f"--controller=http://autowasm-controller.{namespace}.svc:8082" in wasmer
    assert f"--peer=http://wasmer-peers.{namespace}.svc:8081" in wasmer
    assert f"--install-namespace={namespace}" in controller


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.stem)
def test_the_programs_take_their_flags(helm, case):
    """Each program understands the flags and variables that the chart gives it."""
    found = deployments(helm.objects("-f", case))
    for name, program in PROGRAMS.items():
        container = found[name]["containers"][0]
        assert container["command"] == [name]
        flags = [flag for flag in container["args"] if not flag.startswith("--ca-file")]
        with program.make_context(name, flags) as context:
            assert context.params["listen"].port == container["ports"][0]["containerPort"]
        known = {name for option in program.params for name in _environment(option)}
        assert {variable["name"] for variable in container.get("env", ())} <= known


def _environment(option) -> list[str]:
    """The variables that an option is also read from."""
    return [option.envvar] if isinstance(option.envvar, str) else option.envvar or []


def test_they_end_in_time(helm):
    """The pause before the end and the time for transfers fit into what the kubelet grants."""
    for spec in deployments(helm.objects()).values():
        pause = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pause + wasmer_cli.GRACE_SECONDS < spec["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("case", [None, *GOOD], ids=lambda case: case.stem if case else "defaults")
def test_accepted(helm, cluster, case):
    """A real API server accepts every object; pods like these may run where Pod Security is restricted."""
    for obj in helm.objects(*(["-f", case] if case else [])):
        cluster.admin.create(from_dict(obj), dry_run=True)
        if obj["kind"] == "Deployment":
            template = obj["spec"]["template"]
            metadata = {**template["metadata"], "name": "pod", "namespace": obj["metadata"]["namespace"]}
            cluster.admin.create(Pod.from_dict({**template, "metadata": metadata}), dry_run=True)


def test_restricted_means_something(cluster):
    """The namespaces of the test above refuse a pod that is not restricted."""
    pod = {
        "metadata": {"name": "pod", "namespace": "mesh"},
        "spec": {"containers": [{"name": "a", "image": "a"}]},
    }
    with pytest.raises(ApiError, match="restricted"):
        cluster.admin.create(Pod.from_dict(pod), dry_run=True)


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.stem)
def test_bad_values(helm, case):
    """A wrong value is refused, and named."""
    done = helm.run("template", "release", CHART, "-f", case)
    assert done.returncode != 0
    # Releases of helm write a path in different ways, all with its words.
    for word in case.read_text().splitlines()[0].removeprefix("# says: ").split("/"):
        assert re.search(rf"\b{re.escape(word)}\b", done.stderr), word
    assert "schema" in done.stderr


def test_the_image(helm):
    """A digest goes before a tag, a tag before the version of the chart."""
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    digest = f"sha256:{'0' * 64}"
    for flags, expected in (
        ([], f"autowasm:{version}"),
        (["--set", "image.tag=v1"], "autowasm:v1"),
        (["--set", f"image.tag=v1,image.digest={digest}"], f"autowasm@{digest}"),
    ):
        images = {spec["containers"][0]["image"] for spec in deployments(helm.objects(*flags)).values()}
        assert images == {expected}


def test_without_a_namespace(release, cluster):
    """``helm install CHART --generate-name`` is enough: Service wasmer is where sidecars look for it."""
    told = release.ok("install", CHART, "--generate-name")
    assert cluster.admin.get(Service, "wasmer", namespace="istio-system").spec.ports[0].port == 8081
    assert "wasmc push" in told
    assert "kubectl get aw" in told
    assert "--force-conflicts" not in told


def test_from_a_repository(release, cluster, tmp_path):
    """The documented two commands, word for word, with a packaged chart of a repository."""
    release.ok("package", CHART, "-d", tmp_path / "repository")
    with web(tmp_path / "repository") as url:
        release.ok("repo", "index", tmp_path / "repository", "--url", url)
        release.ok("repo", "add", "servicemesh-tcm", url)
        release.ok("install", "servicemesh-tcm/wasmer", "--generate-name")
    for name in PROGRAMS:
        assert cluster.admin.get(Deployment, name, namespace="istio-system").spec.replicas == 2


@contextlib.contextmanager
def web(folder: Path):
    """A folder on loopback."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_one_installation(release):
    """A second installation is refused in words that name the first, and leaves it alone; an upgrade is not one."""
    release.ok("install", "first", CHART, "-n", "istio-system")
    for namespace in ("istio-system", "mesh"):
        done = release.run("install", CHART, "--generate-name", "-n", namespace)
        assert done.returncode != 0
        assert "as release first in namespace istio-system" in done.stderr
    told = release.ok("upgrade", "first", CHART, "-n", "istio-system", "--set", "wasmer.replicas=3")
    assert "--force-conflicts" in told
    release.ok("rollback", "first", "1", "-n", "istio-system")


def test_one_installation_by_hand(release, cluster):
    """What was installed without Helm is not taken over, and helm says what to do about it."""
    (role,) = [obj for obj in install.manifests(Install()) if obj["kind"] == "ClusterRole"]
    cluster.admin.create(from_dict(role))
    try:
        done = release.run("install", "second", CHART, "-n", "istio-system")
    finally:
        cluster.admin.delete(type(from_dict(role)), role["metadata"]["name"])
    assert done.returncode != 0
    assert "installed without Helm" in done.stderr


def test_an_upgrade_and_back(release, cluster):
    """Values change what runs, a rollback brings the former back; no immutable field is in the way."""
    release.ok("install", "wasmer", CHART, "-n", "istio-system")

    def replicas() -> int:
        return cluster.admin.get(Deployment, "wasmer", namespace="istio-system").spec.replicas

    values = VALUES / "good" / "pinned.yaml"
    release.ok("upgrade", "wasmer", CHART, "-n", "istio-system", "-f", values, "--set", "wasmer.replicas=5")
    assert replicas() == 5
    release.ok("rollback", "wasmer", "-n", "istio-system")
    assert replicas() == 2
