"""``autowasm retire`` with the rights of the chart, against a real API server with controllers at work."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner
from lightkube import ApiError, generic_resource
from lightkube.codecs import from_dict

from autowasm import cli
from autowasm.kube.kinds import EnvoyFilter
from tests.programs import controller_process
from tests.programs.apiserver import converge
from tests.programs.helm_program import Helm
from tests.programs.world import BAD, V1, V2, cleared, clusters, sha

pytestmark = pytest.mark.programs

INSTALL = controller_process.INSTALL
Lease = generic_resource.create_namespaced_resource("coordination.k8s.io", "v1", "Lease", "leases")
LEASE = "--lease-seconds=2"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """An API server with what an installation puts into it, and what the chart adds before an uninstallation."""
    with clusters(tmp_path_factory.mktemp("cluster")) as cluster:
        for obj in Helm(tmp_path_factory.mktemp("helm")).hooks("-n", INSTALL):
            if obj["kind"] not in ("Job", "Lease"):
                cluster.admin.create(from_dict(obj))
        yield cluster


@pytest.fixture
def world(cluster, registry):
    """The cluster without AutoWasms, EnvoyFilters and a Lease."""
    with contextlib.suppress(ApiError):
        cluster.admin.delete(Lease, controller_process.ACCOUNT, namespace=INSTALL)
    return cleared(cluster, registry.host)


@pytest.fixture
def pair(world, tmp_path):
    """Two controllers, one of which writes."""
    with (
        controller_process.running(world.cluster, tmp_path / "one", LEASE) as one,
        controller_process.running(world.cluster, tmp_path / "two", LEASE) as two,
    ):
        yield one, two


class Retiring:
    """The program as the chart's account, which has the chart's rights and no others."""

    def __init__(self, world, *flags: str) -> None:
        command = [sys.executable, "-m", "autowasm", "retire", f"--install-namespace={INSTALL}", *flags]
        kubeconfig = world.cluster.kubeconfig(INSTALL, "autowasm-retire")
        self.process = subprocess.Popen(
            [*command, f"--kubeconfig={kubeconfig}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error", "NO_COLOR": "1"},
        )

    def end(self, how: signal.Signals | None = None) -> tuple[int, str, str]:
        """Exit code, stdout, stderr; a signal ends it sooner."""
        if how is not None:
            self.process.send_signal(how)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err

    def says(self, words: str) -> None:
        """Wait for a line on stderr."""
        for line in self.process.stderr:
            if words in line:
                return
        pytest.fail(f"it ended without saying {words!r}")


def holder(world) -> str:
    """Who has the Lease."""
    found = world.admin.get(Lease, controller_process.ACCOUNT, namespace=INSTALL)
    return found["spec"].get("holderIdentity", "")


def lead(controllers) -> list[bool]:
    """Which of them write."""
    return [controller.get("/metrics").text.count("leading 1.0") == 1 for controller in controllers]


def copied(world, name: str) -> None:
    """An EnvoyFilter of somebody's own that makes sidecars ask wasmer."""
    found = world.envoyfilter()
    world.admin.create(
        EnvoyFilter(
            apiVersion="networking.istio.io/v1alpha3",
            kind="EnvoyFilter",
            metadata={"name": name, "namespace": "default", "labels": found.metadata.labels},
            spec=found["spec"],
        )
    )


def test_all_filters_leave_the_mesh(world, pair):
    """Ours go and stay gone under two live controllers; AutoWasms stay and say so; what is somebody's own is named."""
    for name in ("test", "other"):
        world.apply(world.push(f"{name}:v1", V1), name=name)
        world.settled("Synced", name)
    world.apply(world.push("bad:v1", BAD), name="bad")
    world.settled("Failed", "bad")
    copied(world, "mine")
    code, out, err = Retiring(world, "--settle=0.5", "--hold=60").end()
    assert code == 0, err
    assert out.splitlines() == [
        "default/other: taken out of the mesh",
        "default/test: taken out of the mesh",
        "default/bad: was not in the mesh",
        "default/mine: EnvoyFilter left, no AutoWasm of this name owns it, but sidecars ask wasmer for it",
    ]
    assert lead(pair) == [False, False]
    for name in ("test", "other"):
        assert world.envoyfilter(name) is None
        assert world.status(name)["phase"] == "Pending"
        assert world.condition("Programmed", name)["reason"] == "Uninstalled"
    assert world.condition("Verified", "bad")["reason"] == "Refused"
    assert world.envoyfilter("mine")
    # The controllers see what is missing, and leave it so.
    world.apply(world.push("late:v1", V1), name="late")
    world.delete("other")
    converge(lambda: all(controller.lines("following") for controller in pair if controller.lines("leading")))
    assert holder(world).startswith("autowasm-retire_")
    assert [world.envoyfilter(name) for name in ("test", "other", "late")] == [None, None, None]


def test_a_later_installation_brings_them_back(world, tmp_path):
    """A new controller with nothing of its own brings back the module of before, though its tag moved meanwhile."""
    with controller_process.running(world.cluster, tmp_path / "old", LEASE):
        world.apply(world.push("back:v1", V1))
        world.settled("Synced")
        code, out, err = Retiring(world, "--settle=0", "--hold=3", "--output=json").end()
        assert code == 0, err
        assert json.loads(out)["taken"] == [{"namespace": "default", "name": "test"}]
    world.push("back:v1", V2)
    with controller_process.running(world.cluster, tmp_path / "new", LEASE):
        converge(lambda: world.status()["phase"] == "Synced")
        assert world.digest() == sha(V1)
        assert world.condition("Programmed")["status"] == "True"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_cut_short(world, pair, how):
    """Where it ends in the middle the controllers bring everything back by themselves, and the next run succeeds."""
    world.apply(world.push("short:v1", V1))
    world.settled("Synced")
    retiring = Retiring(world, "--settle=60", "--hold=3")
    retiring.says("for sidecars to drop")
    assert world.envoyfilter() is None
    code, _, err = retiring.end(how)
    assert code == (1 if how == signal.SIGTERM else -how)
    assert how == signal.SIGKILL or "ended by a signal" in err
    converge(lambda: world.digest() == sha(V1))
    converge(lambda: world.phase() == "Synced")
    assert any(lead(pair))
    code, _, err = Retiring(world, "--settle=0", "--hold=60").end()
    assert code == 0, err
    assert world.envoyfilter() is None


def test_what_was_begun_is_finished(world, pair):
    """A run that comes while the one before it is missed by nobody yet leaves the mesh as that one would have."""
    world.apply(world.push("finished:v1", V1))
    world.settled("Synced")
    first = Retiring(world, "--settle=60", "--hold=8")
    first.says("for sidecars to drop")
    first.end(signal.SIGKILL)
    code, out, err = Retiring(world, "--settle=0", "--hold=60").end()
    assert code == 0, err
    assert out == "default/test: was not in the mesh\n"
    assert world.condition("Programmed")["reason"] == "Uninstalled"
    assert holder(world).startswith("autowasm-retire_")
    assert lead(pair) == [False, False]
    assert world.envoyfilter() is None


@pytest.fixture
def kept(world):
    """A policy of the cluster that nobody deletes the EnvoyFilter ``kept``."""
    group = "admissionregistration.k8s.io"
    policy = {
        "apiVersion": f"{group}/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "kept"},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": ["networking.istio.io"],
                        "apiVersions": ["*"],
                        "resources": ["envoyfilters"],
                        "operations": ["DELETE"],
                    }
                ]
            },
            "validations": [{"expression": "oldObject.metadata.name != 'kept'", "message": "is to be kept"}],
        },
    }
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "kept"},
        "spec": {"policyName": "kept", "validationActions": ["Deny"]},
    }
    made = [from_dict(policy), from_dict(binding)]
    for obj in made:
        world.admin.create(obj)
    yield
    for obj in reversed(made):
        world.admin.delete(type(obj), "kept")
    for obj in world.admin.list(EnvoyFilter, namespace="default"):
        converge(lambda name=obj.metadata.name: deleted(world, name))


def deleted(world, name: str) -> bool:
    """Whether an EnvoyFilter could be deleted, which a policy that went a moment ago may still refuse."""
    try:
        world.admin.delete(EnvoyFilter, name, namespace="default")
    except ApiError as fault:
        return fault.status.code == 404
    return True


def refuses(world) -> bool:
    """Whether the policy works by now."""
    try:
        world.admin.delete(EnvoyFilter, "kept", namespace="default")
    except ApiError as fault:
        return "is to be kept" in str(fault)
    return False


@pytest.mark.usefixtures("kept")
def test_what_cannot_be_taken_out_is_named(world, tmp_path):
    """A filter that stays is an error that names it and says what to do; the others come back, nothing is half done."""
    with controller_process.running(world.cluster, tmp_path / "one", LEASE) as controller:
        for name in ("kept", "test"):
            world.apply(world.push(f"{name}:v1", V1), name=name)
            world.settled("Synced", name)
        converge(lambda: refuses(world) and world.envoyfilter("kept"))
        code, out, err = Retiring(world, "--settle=0", "--hold=60").end()
        assert (code, out) == (1, "")
        assert "EnvoyFilter default/kept" in err
        assert "is to be kept" in err
        assert "helm uninstall --no-hooks" in err
        converge(lambda: lead([controller]) == [True])
        converge(lambda: world.digest("test") == sha(V1))
        assert world.digest("kept") == sha(V1)
        assert world.status("kept")["phase"] == "Synced"


def test_nothing_to_do(world, tmp_path):
    """Where no AutoWasm is, nothing is waited for, and the controllers go on."""
    with controller_process.running(world.cluster, tmp_path / "one", LEASE) as controller:
        code, out, err = Retiring(world, "--settle=60", "--hold=60").end()
        assert (code, out) == (0, "nothing of AutoWasm is in the mesh\n")
        assert "waiting" not in err
        converge(lambda: lead([controller]) == [True])


def test_a_cluster_that_does_not_answer(tmp_path):
    """What could not be done is an error that says how to go on."""
    file = tmp_path / "kubeconfig"
    file.write_text(
        "{current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}], users: [{name: a, user: {}}],"
        " clusters: [{name: a, cluster: {server: 'https://127.0.0.1:9'}}]}"
    )
    done = CliRunner().invoke(cli.main, ["retire", "--kubeconfig", str(file)])
    assert done.exit_code == 1
    assert "Lease istio-system/autowasm-controller" in done.stderr
    assert "helm uninstall --no-hooks" in done.stderr
