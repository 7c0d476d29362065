"""Releases of the chart on a real API server: installed, refused, upgraded, rolled back."""

from __future__ import annotations

import functools
import json

import pytest
import yaml
from lightkube.codecs import from_dict
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import Service
from lightkube.types import PatchType

from autowasm.istio import crd, install
from autowasm.istio.envoyfilter import Install
from tests.programs import helm_program, web_site
from tests.programs.helm_program import CHART, Helm
from tests.programs.node import Node

pytestmark = pytest.mark.programs

PROGRAMS = ("wasmer", "autowasm-controller")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """An API server without Istio."""
    with helm_program.clusters(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def kubectl(cluster):
    """The real kubectl at that API server."""
    return functools.partial(helm_program.kubectl, cluster)


@pytest.fixture
def release(cluster, tmp_path):
    """Helm at that API server; what it installed is uninstalled. Nobody is there who would run a Job."""
    found = Helm(tmp_path, cluster.admin_kubeconfig())
    yield found
    for one in json.loads(found.ok("list", "-A", "-o", "json")):
        found.ok("uninstall", one["name"], "-n", one["namespace"], "--no-hooks")


def test_without_a_namespace(release, cluster):
    """``helm install CHART --generate-name`` is enough: Service wasmer is where sidecars look for it."""
    told = release.ok("install", CHART, "--generate-name")
    assert cluster.admin.get(Service, "wasmer", namespace="istio-system").spec.ports[0].port == 8081
    assert "wasmc push" in told
    assert "kubectl get aw" in told
    assert "--force-conflicts" not in told


# As the document has them that the system comes from.
COMMANDS = """\
helm repo add servicemesh-tcm https://servicemesh.tencentcloudcr.com/chartrepo/tcm
helm install servicemesh-tcm/wasmer --generate-name
"""


def test_the_two_commands(release, cluster, tmp_path):
    """The documented commands, word for word, with a chart that was packaged and indexed; no namespace is named."""
    tcm = tmp_path / "site" / "chartrepo" / "tcm"
    release.ok("package", CHART, "-d", tcm)
    release.ok("repo", "index", tcm)
    with web_site.serving("servicemesh.tencentcloudcr.com", tmp_path / "site", tmp_path / "keys") as site:
        release.environment |= site.environment
        for command in COMMANDS.splitlines():
            told = release.ok(*command.split()[1:])
    assert [path.rpartition("/")[2] for path in site.asked] == ["index.yaml", f"wasmer-{version()}.tgz"]
    assert "NAMESPACE: default" in told
    assert cluster.admin.get(Service, "wasmer", namespace="istio-system").spec.ports[0].port == 8081
    for name in PROGRAMS:
        assert cluster.admin.get(Deployment, name, namespace="istio-system").spec.replicas == 2


def version() -> str:
    """The version of the chart."""
    return yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]


def test_one_installation(release):
    """A second installation is refused in words that name the first, and leaves it alone; an upgrade is not one."""
    release.ok("install", "first", CHART, "-n", "istio-system")
    for namespace in ("istio-system", "mesh"):
        done = release.run("install", CHART, "--generate-name", "-n", namespace)
        assert done.returncode != 0
        assert "as release first in namespace istio-system" in done.stderr
    release.ok("upgrade", "first", CHART, "-n", "istio-system", "--set", "wasmer.replicas=3")
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


def test_a_crd_of_another_version(release, cluster, kubectl):
    """Whoever upgrades beside another version's CRD is told the line that changes it, and that line does."""
    line = "helm show crds CHART | kubectl apply --server-side --force-conflicts -f -"
    assert line not in release.ok("install", "wasmer", CHART, "-n", "istio-system")
    assert line not in release.ok("upgrade", "wasmer", CHART, "-n", "istio-system")
    older = [{"op": "remove", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/description"}]
    name = f"autowasms.{crd.GROUP}"
    cluster.admin.patch(CustomResourceDefinition, name, older, patch_type=PatchType.JSON)
    assert line in release.ok("upgrade", "wasmer", CHART, "-n", "istio-system")
    change = line.partition("kubectl ")[2].split()
    done = kubectl(*change, given=release.ok("show", "crds", CHART))
    assert done.returncode == 0, done.stderr
    assert line not in release.ok("upgrade", "wasmer", CHART, "-n", "istio-system")
    release.ok("uninstall", "wasmer", "-n", "istio-system", "--no-hooks")
    assert line not in release.ok("install", "wasmer", CHART, "-n", "istio-system")


def test_an_end_without_istio(release, cluster):
    """Where Istio went before, with its kinds and all EnvoyFilters, the uninstallation finds nothing to take out."""
    release.ok("install", "wasmer", CHART, "-n", "istio-system")
    with Node(cluster, "istio-system").working() as node:
        release.ok("uninstall", "wasmer", "-n", "istio-system")
    assert [code for _, code in node.ran] == [0]


def test_an_upgrade_and_back(release, cluster):
    """Values change what runs, a rollback brings the former back; no immutable field is in the way."""
    release.ok("install", "wasmer", CHART, "-n", "istio-system")

    def replicas() -> int:
        return cluster.admin.get(Deployment, "wasmer", namespace="istio-system").spec.replicas

    values = CHART.parents[1] / "tests/cases/values/good/pinned.yaml"
    release.ok("upgrade", "wasmer", CHART, "-n", "istio-system", "-f", values, "--set", "wasmer.replicas=5")
    assert replicas() == 5
    release.ok("rollback", "wasmer", "-n", "istio-system")
    assert replicas() == 2
