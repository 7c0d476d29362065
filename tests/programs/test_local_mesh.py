"""The local mesh: real programs, seen from inside as scenarios see them, and from the host as a sandbox."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.meshes.local import state
from tests.programs import namespaced
from tests.programs.namespaced import Tree, eventually

pytestmark = pytest.mark.programs

INSIDE = Path(__file__).with_name("inside_local_mesh.py")


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """All that one mesh showed."""
    with namespaced.tree() as tree:
        out, err = tree.start([sys.executable, str(INSIDE)]).communicate(timeout=280)
        assert tree.outer is not None
        assert tree.outer.returncode == 0, err
        assert tree.gone()
    found: dict[str, Any] = json.loads(out)
    return found


def test_every_phase_of_the_bring_up_is_timed(seen: dict[str, Any]) -> None:
    """Each part of the bring-up is told as ended, with the time since the start growing."""
    parts = {
        "keys",
        "network",
        "API server",
        "CRDs",
        "istiod",
        "sidecar",
        "details",
        "registries",
        "AutoWasm",
    }
    assert parts | {"first request", "controllers"} <= set(seen["phases"])
    assert seen["since start"] == sorted(seen["since start"])


def test_answers_come_through_the_sidecar_on_each_port(seen: dict[str, Any]) -> None:
    """The application answers through Envoy, knows the port it was asked on, and 404 has the same shape."""
    answers = seen["see_answers"]
    assert {name: answer["status"] for name, answer in answers.items()} == {
        "9080": 200,
        "9081": 200,
        "404": 404,
    }
    assert all(answer["headers"]["server"] == "istio-envoy" for answer in answers.values())
    assert [answers[name]["app"]["port"] for name in ("9080", "9081", "404")] == [9080, 9081, 9080]


def test_the_application_tells_what_reached_it(seen: dict[str, Any]) -> None:
    """Method and header fields arrive as sent, repetitions included, and the host may be chosen."""
    app = seen["see_sent_headers"]
    assert app["method"] == "POST"
    assert [value for name, value in app["headers"] if name == "x-one"] in (["1", "2"], ["1,2"])
    assert ["host", "details.example"] in app["headers"]


def test_a_refused_connection_is_an_answer_with_an_error(seen: dict[str, Any]) -> None:
    """Ports that the capture leaves alone are not the sidecar's: nobody answers, and that is said, not raised."""
    assert seen["see_closed_port"]["status"] is None
    assert seen["see_closed_port"]["error"].startswith("ConnectionRefusedError")


def test_an_unknown_workload_is_refused_by_name(seen: dict[str, Any]) -> None:
    """A workload that is none is named together with those that are."""
    assert seen["see_unknown_workload"]["raised"] == "Refused"
    assert "nobody: must be one of details, client" in seen["see_unknown_workload"]["message"]


def test_objects_come_and_go(seen: dict[str, Any]) -> None:
    """Apply, get and delete work on plain objects; what is not there reads as None and deletes as False."""
    data = {"a": "b"}
    assert seen["see_objects"] == {
        "before": None,
        "stored": data,
        "again": data,
        "deleted": True,
        "after": None,
        "deleted again": False,
    }


def test_the_api_server_s_no_is_told_in_its_words(seen: dict[str, Any]) -> None:
    """An unknown kind, and an object that the CRD's CEL rule forbids, are Refused with what is wrong."""
    unknown, bad = seen["see_a_kind_that_is_none"], seen["see_a_bad_object"]
    assert (unknown["raised"], bad["raised"]) == ("Refused", "Refused")
    assert "example.com/v1 Nothing" in unknown["message"]
    assert "spec.filter.source" in bad["message"]


def test_owned_objects_are_collected(seen: dict[str, Any]) -> None:
    """An object whose owner was deleted goes."""
    assert seen["see_garbage_collection"] is True


def test_namespaces_get_an_account_and_can_be_deleted(seen: dict[str, Any]) -> None:
    """A new namespace gets its default ServiceAccount, and a deleted one is gone in the end."""
    assert seen["see_a_namespace_come_and_go"] == {"account": True, "deleted": True}


def test_endpoint_slices_follow_pods(seen: dict[str, Any]) -> None:
    """A Service that is made later gets endpoints from the Pods it selects."""
    assert seen["see_endpoints_follow_a_pod"] == ["10.99.9.2"]


def test_accounts_have_least_rights(seen: dict[str, Any]) -> None:
    """Wasmer may do nothing at the API server, the controller what its role says, and nobody is let in without."""
    rights = seen["see_rights_of_accounts"]
    assert rights["wasmer"] == {"nodes": 403, "secrets": 403, "autowasms": 403}
    assert rights["autowasm-controller"] == {"nodes": 403, "secrets": 403, "autowasms": 200}
    assert rights["nobody"] == {"nodes": 401, "secrets": 401, "autowasms": 401}


def test_a_module_is_checked_before_it_is_deployed(seen: dict[str, Any]) -> None:
    """A push of what Envoy would not load is refused by the name of the rule, and is done where it is forced."""
    refused = seen["see_a_push_of_a_bad_module"]
    assert (refused["raised"], "missing-import" in refused["message"]) == ("Refused", True)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", seen["see_a_forced_push_of_a_bad_module"])


def test_the_private_registry_asks_for_a_password(seen: dict[str, Any]) -> None:
    """Without the login a push is refused, with it the module is there."""
    assert seen["see_a_private_push_without_login"]["raised"] == "Refused"
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", seen["see_a_private_push"]["digest"])


def test_a_filter_reaches_the_sidecar_under_load_on_its_port_only(seen: dict[str, Any]) -> None:
    """An AutoWasm changes answers on its port and on no other, and a load meets it without a failure."""
    found = seen["see_a_filter"]
    assert (found["9080"], found["9081"]) == ("world", None)
    assert (found["load"]["failed"], found["load"]["failures"]) == (0, [])
    assert found["load"]["seen"]["hello: world"] > 0
    assert found["load"]["sent"] >= found["load"]["seen"]["hello: world"]
    assert found["same again"]


def test_what_explains_a_failure_is_collected(seen: dict[str, Any]) -> None:
    """Envoy's and istiod's views, objects and the logs of all processes are files with something in them."""
    files = seen["see_what_is_collected"]["files"]
    wanted = {"envoy-config_dump.json", "envoy-stats.txt", "istiod-syncz.json", "autowasms.yaml", "pods.yaml"}
    logs = {
        f"logs/{name}.log"
        for name in ("etcd", "kube-apiserver", "istiod", "wasmer", "controller", "registry")
    }
    assert wanted | logs <= set(files)
    assert all(files[name] > 0 for name in wanted)
    assert seen["see_what_is_collected"]["wasmer is known"]


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("see_a_kill", {"restarts": 1, "started": True}),
        (
            "see_replicas",
            {
                "pods": ["wasmer-0", "wasmer-1", "wasmer-2"],
                "named": 3,
                "endpoints": True,
                "back": [1, True, True],
            },
        ),
        ("see_more_sidecars", {"answers": [200] * 6, "after": 200}),
        ("see_a_cut", {"before": True, "during": False, "after": True}),
        ("see_a_slow_registry", {"before": False, "during": True, "after": False}),
        ("see_the_end_of_a_slow_way", {"answered": True, "ended": True}),
        ("see_a_full_disk", {"before": False, "during": True, "after": False}),
        ("see_a_hung_controller", {"before": 200, "during": None, "after": 200}),
        ("see_a_registry_that_is_away", {"away": True, "back": True}),
        ("see_an_api_server_that_is_killed", {"a": "b"}),
        (
            "see_a_compaction",
            {"told": True, "cordon": "fault cordon: local has no nodes, nothing is scheduled on any"},
        ),
    ],
)
def test_harm_is_done_and_taken_back(seen: dict[str, Any], what: str, found: Any) -> None:
    """Each kind of harm shows where it must, and is gone after; killed programs come back, replicas come and go."""
    assert seen[what] == found


def test_a_clock_jumps(seen: dict[str, Any]) -> None:
    """The controller's clock goes a day ahead and back again while it runs, where libfaketime is."""
    if seen["see_a_clock"] is None:
        pytest.skip("there is no libfaketime here")
    assert seen["see_a_clock"] == {"ahead": True, "back": True}


def test_the_death_of_a_process_is_told_by_name(seen: dict[str, Any]) -> None:
    """After etcd was killed, the next wish is answered with how it ended, not with a time-out."""
    assert seen["see_a_death"]["raised"] == "Broken"
    assert seen["see_a_death"]["message"].startswith("etcd: must keep running, was ended by SIGKILL")


def test_two_clusters_are_up_at_once_and_know_nothing_of_each_other() -> None:
    """A scenario passes on each of two meshes, whose objects, registries and addresses have the same names."""
    command = [
        sys.executable,
        "-m",
        "harness",
        "run",
        "--mesh",
        "local",
        "--clusters",
        "2",
        "--output",
        "json",
    ]
    done = subprocess.run(
        [*command, "scenarios/hello-world.yaml"],
        check=False,
        capture_output=True,
        text=True,
        timeout=280,
        cwd=INSIDE.parents[2],
    )
    happened = [json.loads(line) for line in done.stdout.splitlines()]
    ended = {one["mesh"]: one["passed"] for one in happened if one["event"] == "run-ended"}
    assert (done.returncode, ended) == (0, {"local-1": 1, "local-2": 1}), done.stderr


class Sandbox:
    """``harness up`` as a user starts it."""

    def __init__(self, tree: Tree) -> None:
        self.name = f"test-{secrets.token_hex(4)}"
        key, value = tree.mark.split("=")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "harness", "up", "--name", self.name],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, key: value},
        )
        tree.outer = self.process
        self.told = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.told += line
            if " exec --name " in line:
                break

    def line(self, text: str) -> str:
        """The line to copy that contains a text."""
        [found] = [line for line in self.told.splitlines() if text in line]
        return found.strip()

    def run(self, text: str) -> str:
        """Copy a line into a shell, as the output says; its standard output."""
        script = f"{self.line('export KUBECONFIG')}\n{self.line(text)}"
        done = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def tree() -> Iterator[Tree]:
    """A tree of processes that does not outlive the test."""
    with namespaced.tree() as one:
        yield one


def test_the_lines_that_the_sandbox_prints_work(tree: Tree) -> None:
    """Push, apply, get and curl, copied from the output, end with the filter's header on an answer."""
    sandbox = Sandbox(tree)
    assert "Digest: sha256:" in sandbox.run(" push ")
    assert "hello created" in sandbox.run(" apply ")
    assert eventually(lambda: "hello: world" in sandbox.run("curl -si"))
    assert eventually(lambda: "Synced" in sandbox.run(" get aw"))
    assert "outbound|8081||wasmer.istio-system.svc.cluster.local" in sandbox.run(" exec --name ")
    place = state.folder() / sandbox.name
    assert (place / "kubeconfig").stat().st_mode & 0o777 == 0o600
    sandbox.process.send_signal(signal.SIGINT)
    sandbox.process.wait(30)
    assert sandbox.process.returncode == 0
    assert tree.gone(), tree.processes()
    assert not place.exists()


def test_exec_passes_input_folder_and_exit_code_on(tree: Tree, tmp_path: Path) -> None:
    """A command inside reads our input, stands in our folder, and its exit code is ours."""
    sandbox = Sandbox(tree)
    command = [sys.executable, "-m", "harness", "exec", "--name", sandbox.name]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [*command, "--in", "client", "--", "sh", "-c", "cat; pwd; exit 5"],
        input="from outside\n",
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        check=False,
        timeout=30,
    )
    assert (done.stdout, done.stderr, done.returncode) == (f"from outside\n{tmp_path}\n", "", 5)
    wrong = subprocess.run(
        [*command, "--in", "nobody", "--", "true"], capture_output=True, text=True, check=False
    )
    assert (wrong.returncode, wrong.stderr.splitlines()[0]) == (
        2,
        "error: workload nobody: must be one of details, client, wasmer, controller",
    )


def test_the_death_of_etcd_ends_the_sandbox_and_says_so(tree: Tree) -> None:
    """A sandbox whose etcd dies ends with exit code 3, names it, and leaves nothing."""
    sandbox = Sandbox(tree)
    [etcd] = [
        pid for pid, line in tree.processes().items() if line.split("/")[-1:] and "--listen-peer-urls" in line
    ]
    os.kill(etcd, signal.SIGKILL)
    _, err = sandbox.process.communicate(timeout=30)
    assert sandbox.process.returncode == 3
    assert "error: etcd: must keep running, was ended by SIGKILL" in err
    assert tree.gone(), tree.processes()


def test_exec_without_a_mesh_is_an_error_of_the_caller() -> None:
    """Where no such mesh runs, exec says which do and ends with 2."""
    command = [sys.executable, "-m", "harness", "exec", "--name", "no-such-mesh", "--", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: mesh no-such-mesh: must be running, running are: ")
