"""``helm uninstall`` on a real API server with controllers at work: no sidecar is left with a wasmer that is gone."""

from __future__ import annotations

import sys

import pytest
import yaml
from lightkube import ApiError, generic_resource
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Namespace, ServiceAccount
from lightkube.resources.rbac_authorization_v1 import ClusterRole

from autowasm.controller.retiring import cli as retire_cli
from autowasm.istio import names
from autowasm.kube.kinds import AutoWasm, EnvoyFilter
from harness.toolchain import binaries
from tests.programs import apiserver, controller_process
from tests.programs.apiserver import converge
from tests.programs.helm_program import CHART, Helm
from tests.programs.node import Node
from tests.programs.world import V1, World, put_pod, served, sha

pytestmark = pytest.mark.programs

INSTALL = controller_process.INSTALL
Lease = generic_resource.create_namespaced_resource("coordination.k8s.io", "v1", "Lease", "leases")
LEASE = "--lease-seconds=2"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """An API server with Istio's kind, on which nothing of ours is installed."""
    toolchain = binaries.ensure(apiserver.PROGRAMS, lambda _: None)
    with apiserver.running(tmp_path_factory.mktemp("cluster")) as (cluster, _):
        istio = toolchain.istio_source("manifests/charts/base/files/crd-all.gen.yaml").read_text()
        for obj in yaml.safe_load_all(istio):
            if obj and obj["spec"]["names"]["kind"] == names.ENVOYFILTER_KIND:
                cluster.admin.create(CustomResourceDefinition.from_dict(obj))
        cluster.admin.create(Namespace(metadata=ObjectMeta(name=INSTALL)))
        put_pod(cluster, "details-1")
        yield cluster


@pytest.fixture
def helm(cluster, tmp_path):
    """Helm at that API server; what it installed is uninstalled."""
    found = Helm(tmp_path, cluster.admin_kubeconfig())
    yield found
    found.run("uninstall", "wasmer", "-n", INSTALL, "--no-hooks")


@pytest.fixture
def world(cluster, registry, helm, tmp_path):
    """The chart is installed, its controller runs, and an AutoWasm is in the mesh."""
    helm.ok("install", "wasmer", CHART, "-n", INSTALL, "--set", "retire.settleSeconds=0")
    for kind in (AutoWasm, EnvoyFilter):
        converge(lambda kind=kind: served(cluster, kind))
    found = World(cluster, registry.host)
    with controller_process.running(cluster, tmp_path / "controller", LEASE):
        found.apply(found.push("hello:v1", V1))
        found.settled("Synced")
        yield found


def gone(cluster, kind, name: str, **where: str) -> bool:
    """Whether there is no such object."""
    try:
        cluster.admin.get(kind, name, **where)
    except ApiError as fault:
        return fault.status.code == 404
    return False


def test_filters_leave_before_wasmer_does(world, helm, cluster):
    """Uninstalling takes the filter out, keeps the AutoWasm, and leaves nothing of its own."""
    with Node(cluster, INSTALL).working() as node:
        helm.ok("uninstall", "wasmer", "-n", INSTALL)
    assert [code for _, code in node.ran] == [0]
    assert world.envoyfilter() is None
    assert world.condition("Programmed")["reason"] == "Uninstalled"
    for name in ("wasmer", "autowasm-controller"):
        assert gone(cluster, Deployment, name, namespace=INSTALL)
    assert gone(cluster, Job, "autowasm-retire", namespace=INSTALL)
    assert gone(cluster, Lease, "autowasm-controller", namespace=INSTALL)
    assert gone(cluster, ServiceAccount, "autowasm-retire", namespace=INSTALL)
    assert gone(cluster, ClusterRole, "autowasm-retire")
    # The controller still runs, as it would for some seconds; it lost its rights with the rest.
    assert gone(cluster, ClusterRole, "autowasm-controller")
    assert world.envoyfilter() is None


def test_the_next_installation_need_not_wait(world, helm, cluster, tmp_path):
    """What was uninstalled and is installed again has its filter back at once, of the same module."""
    with Node(cluster, INSTALL).working():
        helm.ok("uninstall", "wasmer", "-n", INSTALL)
    assert world.envoyfilter() is None
    helm.ok("install", "wasmer", CHART, "-n", INSTALL)
    with controller_process.running(cluster, tmp_path / "next", LEASE):
        converge(lambda: world.digest() == sha(V1), within=retire_cli.HOLD_SECONDS - 10)
        converge(lambda: world.phase() == "Synced")


def test_where_it_fails_nothing_is_removed(world, helm, cluster):
    """A Job that fails ends the uninstallation with everything in place; the next try succeeds."""
    with Node(cluster, INSTALL, sys.executable, "-c", "raise SystemExit(1)").working():
        done = helm.run("uninstall", "wasmer", "-n", INSTALL)
    assert done.returncode != 0
    assert "autowasm-retire" in done.stderr
    assert world.digest() == sha(V1)
    assert cluster.admin.get(Deployment, "wasmer", namespace=INSTALL)
    with Node(cluster, INSTALL).working() as node:
        helm.ok("uninstall", "wasmer", "-n", INSTALL)
    assert [code for _, code in node.ran] == [0]
    assert world.envoyfilter() is None


def test_without_the_job(world, helm, cluster):
    """Whoever says so leaves the filters in the mesh."""
    with Node(cluster, INSTALL).working() as node:
        helm.ok("uninstall", "wasmer", "-n", INSTALL, "--no-hooks")
    assert node.ran == []
    assert world.digest() == sha(V1)


def test_upgrades_are_no_end(world, helm, cluster):
    """Neither an upgrade nor a rollback takes a filter out."""
    before = world.envoyfilter()["metadata"]["uid"]
    with Node(cluster, INSTALL).working() as node:
        helm.ok("upgrade", "wasmer", CHART, "-n", INSTALL, "--reuse-values", "--set", "wasmer.replicas=3")
        helm.ok("rollback", "wasmer", "-n", INSTALL)
    assert node.ran == []
    assert world.envoyfilter()["metadata"]["uid"] == before


def test_an_installation_that_leaves_it_out(tmp_path):
    """With ``retire.enabled=false`` there is no Job and there are no rights for one."""
    assert Helm(tmp_path).hooks("--set", "retire.enabled=false") == []
    rights = {"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}
    assert {obj["kind"] for obj in Helm(tmp_path).hooks()} == {*rights, "Job", "Lease"}
