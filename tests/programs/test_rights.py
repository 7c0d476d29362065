"""The rights that ``harness plan --rbac`` prints, under a real API server's RBAC: enough for a run, and no more."""

from __future__ import annotations

import contextlib
import dataclasses
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from autowasm.istio import crd
from harness.mesh import ObjectRef, Refused
from harness.meshes import existing
from harness.meshes.cluster import objects, rights
from harness.services import kube, login
from harness.services.kube import Api
from tests.programs import apiserver

pytestmark = pytest.mark.programs

SYSTEM = "istio-system"
HERE = "autowasm-test"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apiserver.Cluster]:
    """An API server without Istio."""
    with apiserver.running(tmp_path_factory.mktemp("cluster")) as (running, _):
        yield running


@pytest.fixture(scope="module")
def admin(cluster: apiserver.Cluster) -> Iterator[Api]:
    """Its administrator; the namespaces and the CRD of AutoWasm are there."""
    trust = ssl.create_default_context(cafile=cluster.ca)
    headers = {"authorization": f"Bearer {apiserver.ADMIN_TOKEN}"}
    with httpx2.Client(base_url=cluster.url, verify=trust, headers=headers, trust_env=False) as http:
        api = Api(http)
        for name in (SYSTEM, HERE):
            api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        api.apply(crd.crd())
        apiserver.converge(lambda: api.serves("wasm.tcm.io/v1alpha1", "AutoWasm"))
        yield api


As = Callable[[Path], Api]


@pytest.fixture
def user() -> Iterator[As]:
    """Whom a kubeconfig names; closed afterwards."""
    with contextlib.ExitStack() as stack:
        yield lambda file: stack.enter_context(contextlib.closing(Api(login.with_kubeconfig(file))))


def granted(cluster: apiserver.Cluster, admin: Api, namespace: str) -> Path:
    """A kubeconfig of an account that has what is printed, and nothing else."""
    for kind in ("ClusterRole", "ClusterRoleBinding"):
        admin.delete(ObjectRef("rbac.authorization.k8s.io/v1", kind, "", rights.ACCOUNT))
    for one in rights.manifests(namespace, SYSTEM):
        admin.apply(one)
    return cluster.kubeconfig(namespace or SYSTEM, rights.ACCOUNT)


@pytest.fixture(params=["", HERE], ids=["new namespace", "given namespace"])
def options(request: pytest.FixtureRequest, cluster: apiserver.Cluster, admin: Api) -> existing.Options:
    """Options of a user who has exactly the printed rights."""
    file = granted(cluster, admin, request.param)
    return existing.Options(file, "registry.test", "apps:1", namespace=request.param)


def test_all_that_is_asked_for_is_allowed(user: As, options: existing.Options) -> None:
    """RBAC lets this user do everything that a run asks for beforehand."""
    api = user(options.kubeconfig)
    apiserver.converge(lambda: not list(existing.forbidden(api, options)))


def test_what_is_not_there_is_told_to_a_user_of_few_rights(user: As, options: existing.Options) -> None:
    """Without Istio and wasmer both are named, and AutoWasm's kind, which is there, is not."""
    api = user(options.kubeconfig)
    apiserver.converge(lambda: not list(existing.forbidden(api, options)))
    told = "\n".join(existing.missing(api, SYSTEM))
    assert "Istio: the kinds VirtualService" in told
    assert "Service wasmer must be in namespace istio-system" in told
    assert "the kinds AutoWasm" not in told


def test_applications_can_be_made_and_removed(user: As, options: existing.Options) -> None:
    """Namespace, accounts, Services and Deployments are made, changed and deleted under the printed rights."""
    api = user(options.kubeconfig)
    apiserver.converge(lambda: not list(existing.forbidden(api, options)))
    settings = dataclasses.replace(options.settings(), strict=False)
    if settings.temporary:
        api.apply(objects.namespace(settings))
    known = [one for one in objects.all_of(settings) if "istio" not in one["apiVersion"]]
    for one in [*known, *known]:
        api.apply(one)
    for one in known:
        assert api.delete(kube.ref(one))
        assert api.get(kube.ref(one)) is None


@pytest.mark.parametrize(
    "target",
    [
        ObjectRef("v1", "Secret", "kube-system", "x"),
        ObjectRef("v1", "ConfigMap", HERE, "x"),
        ObjectRef("v1", "Service", SYSTEM, "kubernetes"),
        ObjectRef("rbac.authorization.k8s.io/v1", "ClusterRole", "", "cluster-admin"),
        ObjectRef("apps/v1", "Deployment", SYSTEM, "wasmer"),
    ],
    ids=str,
)
def test_other_things_are_out_of_reach(
    cluster: apiserver.Cluster, admin: Api, user: As, target: ObjectRef
) -> None:
    """With a given namespace nothing else of the cluster can be read."""
    with pytest.raises(Refused, match="forbidden"):
        user(granted(cluster, admin, HERE)).get(target)


def test_a_user_without_rights_is_told_all_that_is_missing(
    cluster: apiserver.Cluster, admin: Api, user: As
) -> None:
    """An account that nobody gave anything lacks every rule that is not only for explanations."""
    metadata = {"name": "nobody", "namespace": HERE}
    admin.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    options = existing.Options(cluster.kubeconfig(HERE, "nobody"), "registry.test", "apps:1", namespace=HERE)
    told = list(existing.forbidden(user(options.kubeconfig), options))
    assert len(told) == len([rule for rule in rights.RULES if not rule.explains]) + 1
    assert "harness plan --rbac" in told[-1]
