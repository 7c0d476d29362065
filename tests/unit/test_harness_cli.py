"""The harness program: what it says about bad input, and with which exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli import main
from harness.commands import finding

ROOT = Path(__file__).parents[2]
PUSH = "  - push: {module: some.wasm, to: x}\n"


def scenario(folder: Path, name: str, steps: str = PUSH) -> Path:
    """A scenario file, with the module that it pushes beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "some.wasm").write_bytes(b"\0asm")
    file = folder / f"{name}.yaml"
    file.write_text(f"name: {name}\nclaim: It works.\nsteps:\n{steps}", encoding="utf-8")
    return file


def harness(*args: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    return result.exit_code, result.stdout, result.stderr


def test_own_scenarios_have_no_fault():
    """All scenarios of the project load, and are told with their claims."""
    scenarios, faults = finding.read(finding.files([ROOT / "scenarios"]))
    assert faults == []
    assert {"hello-world", "upgrade", "delete", "bad-module", "private-registry"} <= {
        s.name for s in scenarios
    }


def test_all_faults_of_all_files_are_told_at_once(tmp_path):
    """Two bad files tell all their faults with positions; nothing is run; exit code 2."""
    one = scenario(tmp_path, "one", "  - psh: {}\n")
    two = scenario(tmp_path, "two", PUSH + "    as: One Two\n  - reqest: {}\n")
    code, out, err = harness("run", one, two)
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        f'{one}:4:5: steps[0].psh: unknown verb (did you mean "push"?)',
        f"{two}:5:9: steps[0].as: must match ^[a-z][a-z0-9_-]*$, found 'One Two'",
        f'{two}:6:5: steps[1].reqest: unknown verb (did you mean "request"?)',
        "3 faults, nothing was run",
    ]


def test_a_missing_module_is_told_before_a_mesh_is_started(tmp_path):
    """What a step names must be there; exit code 2."""
    file = scenario(tmp_path, "one", "  - push: {module: gone.wasm, to: x}\n")
    code, _, err = harness("run", file)
    assert code == 2
    assert f"{file}:4:5: push.module: {tmp_path}/gone.wasm cannot be read: No such file" in err


def test_two_scenarios_of_one_name_are_a_fault(tmp_path):
    """Artifacts and reports are named by scenarios, so names are unique in a run."""
    one = scenario(tmp_path / "a", "same")
    two = scenario(tmp_path / "b", "same")
    code, _, err = harness("run", tmp_path)
    assert code == 2
    assert f'{two}:1:1: name: "same" is the name of {one} already' in err


@pytest.mark.parametrize(
    "args", [["run", "gone.yaml"], ["run", "--mesh", "cloud"], ["run", "--timeout-factor", "0"]]
)
def test_bad_arguments_exit_with_2(args):
    """A path that is not there, an unknown mesh and a factor of nothing are the caller's mistakes."""
    code, out, err = harness(*args)
    assert (code, out) == (2, "")
    assert "Error: " in err


def test_a_folder_without_scenarios_exits_with_2(tmp_path):
    """An empty folder is a mistake and no pass."""
    assert harness("run", tmp_path)[0] == 2


def test_list_runs_nothing(tmp_path):
    """--list tells names, files, needs and claims, also to programs."""
    file = scenario(tmp_path, "one")
    code, out, _ = harness("run", "--list", file)
    assert (code, out) == (0, f"one  ({file}; needs nothing)\n  It works.\n")
    code, out, _ = harness("run", "--list", "--output", "json", file)
    assert json.loads(out) == [
        {"name": "one", "file": str(file), "claim": "It works.", "requires": [], "labels": {}}
    ]


def test_schema_is_written_and_checked(tmp_path):
    """A schema that is not the generated one, or none, is told with exit code 1."""
    target = tmp_path / "schema.json"
    assert harness("schema", "--check", target)[0] == 1
    assert harness("schema", target)[0] == 0
    assert harness("schema", "--check", target)[0] == 0
    assert json.loads(harness("schema", "-")[1]) == json.loads(target.read_text(encoding="utf-8"))
    target.write_text("{}", encoding="utf-8")
    assert harness("schema", "--check", target)[0] == 1


def test_the_nearest_scenarios_folder_is_meant(tmp_path, monkeypatch):
    """Without arguments the scenarios of the folder are meant, also from below it."""
    scenario(tmp_path / "scenarios", "one")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    for place in (tmp_path, below):
        monkeypatch.chdir(place)
        assert [file.name for file in finding.files([])] == ["one.yaml"]


FILTER = """
  - push: {module: ../wasm_samples/good/hello-v1.wat, to: "${registry}/x:v1"}
    as: v1
  - apply:
      object:
        apiVersion: wasm.tcm.io/v1alpha1
        kind: AutoWasm
        metadata: {name: x, namespace: "${namespace}"}
        spec:
          filter: {applyPorts: [9080], source: {registry: {image: "${v1.reference}"}}}
          selector: {matchLabels: {app: details}}
  - request:
      to: details
      port: 9080
      path: /details/1
      eventually: {within: WITHIN}
      expect: {headers: {hello: VALUE}}
"""


def simulated(tmp_path: Path, value: str, within: str = "100ms") -> list[str]:
    """A command that runs a scenario on the simulator which expects this header."""
    scenario(tmp_path / "scenarios", "x", FILTER.replace("VALUE", value).replace("WITHIN", within))
    (tmp_path / "wasm_samples").symlink_to(ROOT / "wasm_samples")
    return [sys.executable, "-m", "harness", "run", "--mesh", "sim", "--artifacts", "out", "--junit", "x.xml"]


def start(command: list[str], folder: Path, **variables: str) -> subprocess.Popen[str]:
    """Start a harness in a folder."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=-1, stderr=-1, text=True)


def test_a_file_of_events_begins_anew_with_each_run_and_a_comparison_reads_it(tmp_path):
    """--jsonl: what harness compare takes."""
    command = [*simulated(tmp_path, "world"), "--jsonl", "kept/x.jsonl"]
    for _ in range(2):
        subprocess.run(
            command, cwd=tmp_path, check=True, capture_output=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
        )
    events = [json.loads(line) for line in (tmp_path / "kept" / "x.jsonl").read_text().splitlines()]
    assert [one["event"] for one in events].count("run-ended") == 1
    compare = [sys.executable, "-m", "harness", "compare", "kept/x.jsonl", "kept/x.jsonl", "--output", "json"]
    with start(compare, tmp_path) as process:
        out, err = process.communicate()
    assert (process.returncode, err) == (0, ""), out


def test_a_file_of_events_that_cannot_be_written_is_bad_input(tmp_path):
    """--jsonl on a folder: named, and nothing is run."""
    with start([*simulated(tmp_path, "world"), "--jsonl", str(tmp_path)], tmp_path) as process:
        _out, err = process.communicate()
    assert process.returncode == 2
    assert f"--jsonl {tmp_path}: must be a file that can be written" in err


def test_a_scenario_that_holds_on_the_simulator_exits_with_0(tmp_path):
    """The whole way: file, verbs, simulated host, console and JUnit."""
    with start(simulated(tmp_path, "world"), tmp_path) as process:
        out, err = process.communicate()
    assert (process.returncode, err) == (0, ""), out
    assert "1 passed, 0 failed, 0 skipped on sim" in out
    assert 'failures="0"' in (tmp_path / "x.xml").read_text(encoding="utf-8")
    assert not (tmp_path / "out").exists()


def test_a_scenario_that_does_not_hold_exits_with_1(tmp_path):
    """The failure is explained on the console and in the artifacts."""
    with start(simulated(tmp_path, "moon"), tmp_path) as process:
        out, _ = process.communicate()
    assert process.returncode == 1
    assert 'difference: header hello: expected "moon", found "world"' in out
    (why,) = (tmp_path / "out").glob("*/x/why.txt")
    assert 'expected "moon"' in why.read_text(encoding="utf-8")


def test_a_run_of_nothing_exits_with_1(tmp_path):
    """Where everything is skipped nothing was proved."""
    command = [
        sys.executable,
        "-m",
        "harness",
        "run",
        "--mesh",
        "sim",
        str(ROOT / "scenarios" / "upgrade.yaml"),
    ]
    with start(command, tmp_path) as process:
        out, _ = process.communicate()
    assert process.returncode == 1
    assert "nothing was run, so nothing was proved" in out


def test_where_local_cannot_run_sim_does_and_says_so(tmp_path):
    """Without `unshare` there are no namespaces: the run goes on, on the simulator, and loudly."""
    command = [part for part in simulated(tmp_path, "world") if part not in ("--mesh", "sim")]
    with start(command, tmp_path, PATH="/nonexistent") as process:
        out, _ = process.communicate()
    assert process.returncode == 0
    assert "!! The local mesh cannot run here: " in out
    assert "Running on the simulator instead" in out


def test_where_local_cannot_run_and_is_asked_for_the_exit_code_is_3(tmp_path):
    """What the user asked for by name is not replaced by something else."""
    command = ["local" if part == "sim" else part for part in simulated(tmp_path, "world")]
    with start(command, tmp_path, PATH="/nonexistent") as process:
        _, err = process.communicate()
    assert process.returncode == 3
    assert err.startswith("Error: the local mesh cannot run here: ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupt_is_reported_and_exits_with_130(tmp_path, number):
    """A run that is told to stop cleans up, says so, and writes its reports."""
    with start([*simulated(tmp_path, "moon", "10m"), "--output", "json"], tmp_path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if (event["event"], event.get("verb")) == ("step-started", "request"):
                process.send_signal(number)
                break
        rest = [json.loads(line) for line in process.stdout]
        process.wait()
    assert process.returncode == 130
    assert [event["event"] for event in rest] == ["cleanup-ended", "scenario-ended", "run-ended"]
    assert 'message="interrupted"' in (tmp_path / "x.xml").read_text(encoding="utf-8")


def test_help_loads_no_mesh():
    """`harness run --help` needs none of the heavy parts."""
    heavy = ("harness.meshes", "wasmtime", "lightkube", "pydantic", "ruamel", "rich")
    code = (
        "import sys; from harness.cli import main\n"
        "main(['run', '--help'], standalone_mode=False)\n"
        f"print([name for name in sys.modules if name.startswith({heavy!r})], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stderr == "[]\n"
    assert "Examples:" in done.stdout
