"""Where a run goes, and what is planned: options are checked before anything is started."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from harness.cli import main
from harness.commands import places

ROOT = Path(__file__).parents[2]
SCENARIOS = str(ROOT / "scenarios")


def harness(*args: object, **env: str | None) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    result = CliRunner().invoke(main, [str(arg) for arg in args], env=env)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (
            ["--mesh", "sim", "--clusters", "2"],
            "--clusters: goes with --mesh local or kind, found --mesh sim",
        ),
        (["--install", "--mesh", "sim"], "--install: goes with --mesh kind, found --mesh sim"),
        (
            ["--images", "built", "--mesh", "existing"],
            "--images: goes with --mesh kind, found --mesh existing",
        ),
        (
            ["--kubeconfig", "x", "--mesh", "kind"],
            "--kubeconfig: goes with --mesh existing, found --mesh kind",
        ),
        (["--mesh", "existing"], "--mesh existing: needs --registry and --apps-image"),
        (["--mesh", "existing", "--registry", "r"], "--mesh existing: needs --apps-image"),
        (
            ["--mesh", "existing", "--registry", "r", "--apps-image", "a", "--private-registry", "p"],
            "HARNESS_REGISTRY_USER and HARNESS_REGISTRY_PASSWORD",
        ),
        (["--mesh", "kind", "--clusters", "0"], "--clusters"),
    ],
)
def test_options_of_another_mesh_are_refused(args: list[str], words: str) -> None:
    """What would have no effect, and what is missing, is bad input: nothing is started."""
    code, out, err = harness("run", SCENARIOS, *args, HARNESS_REGISTRY_USER=None)
    assert (code, out) == (2, "")
    assert words in err


def test_an_unknown_context_ends_with_the_machines_code(tmp_path: Path) -> None:
    """A kubeconfig that cannot be used is told with its name; exit code 3."""
    given = ["--registry", "r", "--apps-image", "a", "--kubeconfig", tmp_path / "gone"]
    code, _, err = harness("run", SCENARIOS, "--mesh", "existing", *given)
    assert code == 3
    assert f"{tmp_path}/gone: must be a kubeconfig file" in err


def test_the_kubeconfig_is_kubectls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """KUBECONFIG's first file is meant, else the one in the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    assert places.existing_options({}).kubeconfig == tmp_path / ".kube" / "config"
    monkeypatch.setenv("KUBECONFIG", "/a/one:/b/two")
    assert places.existing_options({}).kubeconfig == Path("/a/one")


def test_a_plan_tells_what_runs_where_and_why_not() -> None:
    """Every scenario has its line, and what is skipped has its reason."""
    code, out, _ = harness("plan", SCENARIOS)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["sim", "local", "kind", "existing"]
    found = {line.split()[0]: line.split()[1:] for line in lines[1 : lines.index("")]}
    assert found["hello-world"] == ["runs"] * 4
    assert found["helm-upgrade"] == ["-", "-", "runs", "-"]
    told = next(line for line in lines if line.startswith("helm-upgrade is skipped"))
    assert told.endswith("on existing it needs helm")


def test_a_plan_is_there_for_programs() -> None:
    """JSON has every mesh's capabilities, and what each scenario lacks on each: each has a mesh that it runs on."""
    plan = json.loads(harness("plan", SCENARIOS, "--output", "json")[1])
    assert set(plan["meshes"]) == {"sim", "local", "kind", "existing"}
    lacking = {one["name"]: one["lacking"] for one in plan["scenarios"]}
    assert lacking["hello-world"] == {"sim": [], "local": [], "kind": [], "existing": []}
    # Whether clocks can be made to jump is a question of a library that need not be here.
    assert [name for name, of in lacking.items() if of["kind"] and {*of["local"]} - {"clock"}] == []


def test_rights_are_printed_as_objects_to_apply() -> None:
    """YAML for people and kubectl, a List for programs; of a given namespace nothing is cluster-wide."""
    code, out, _ = harness("plan", "--rbac", "--namespace", "mine")
    objects = list(yaml.safe_load_all(out))
    assert code == 0
    assert "ClusterRole" not in {one["kind"] for one in objects}
    assert "&id" not in out
    as_json = json.loads(harness("plan", "--rbac", "--namespace", "mine", "--output", "json")[1])
    assert as_json["items"] == objects
    assert "ClusterRole" in {one["kind"] for one in yaml.safe_load_all(harness("plan", "--rbac")[1])}


def test_plan_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    """A bad scenario and a namespace without --rbac are bad input."""
    (tmp_path / "bad.yaml").write_text("name: x\n")
    assert harness("plan", tmp_path / "bad.yaml")[0] == 2
    assert harness("plan", "--namespace", "x")[0] == 2
