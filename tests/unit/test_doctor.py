"""The doctor: what it tries, what it says, and what follows for each kind of mesh."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness import doctor
from harness.cli import main
from harness.doctor import cluster, machine, namespaces, network, programs
from harness.doctor.finding import Examination, Finding
from harness.services.engine import extra
from harness.toolchain.programs import LOCAL

GOOD = [
    Finding(what, ok=True, detail="seen")
    for what in ("python", "packages", "wasmtime", "namespaces", "network", "disk", "memory", "go", *LOCAL)
]


@pytest.fixture
def prebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a program for every name, each of which runs, and an empty cache folder."""
    folder = tmp_path / "prebuilt"
    folder.mkdir()
    for name in LOCAL:
        (folder / name).write_text("#!/bin/sh\necho version 1\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("HARNESS_TOOLCHAIN", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'none.sock'}")
    return folder


def test_a_mesh_can_run_where_all_that_it_needs_is_good() -> None:
    """With every finding good, sim and local can run; with one bad, who needs it cannot, and says why."""
    examination = Examination(GOOD, doctor.conclude(GOOD))
    assert examination.available("sim")
    assert examination.available("local")
    bad = Finding("namespaces", ok=False, detail="forbidden", remedy="allow them")
    findings = [bad if finding.what == bad.what else finding for finding in GOOD]
    meshes = {kind.mesh: kind for kind in doctor.conclude(findings)}
    assert meshes["sim"].ok
    assert (meshes["local"].ok, meshes["local"].why) == (False, "namespaces: forbidden")


def test_a_kind_mesh_needs_an_engine_and_images() -> None:
    """Each kind of mesh has its own needs: what only kind needs keeps no other from running."""
    more = ("kind packages", "container engine", "images", "kind disk", "kind memory", "kind", "helm")
    good = [*GOOD, *(Finding(what, ok=True, detail="seen") for what in more)]
    assert all(kind.ok for kind in doctor.conclude(good))
    for what in ("container engine", "images"):
        bad = Finding(what, ok=False, detail="none", remedy="get one")
        meshes = {
            kind.mesh: kind for kind in doctor.conclude([*(one for one in good if one.what != what), bad])
        }
        assert (meshes["kind"].ok, meshes["kind"].why) == (False, f"{what}: none")
        assert meshes["local"].ok
        assert meshes["existing"].ok


def test_an_engine_that_does_not_answer_is_a_finding(prebuilt: Path) -> None:
    """The engine that the user named and what it said are in the finding, and the command's exit code follows."""
    pytest.importorskip("docker", reason="a package of the extra kind")
    finding = cluster.engine()
    assert not finding.ok
    assert f"{prebuilt.parent}/none.sock: no such socket" in finding.detail
    assert finding.remedy
    done = CliRunner().invoke(main, ["doctor", "--mesh", "kind"])
    assert done.exit_code == 3
    assert any(line.startswith("✗ kind ") and "container engine" in line for line in done.stdout.splitlines())


def test_a_machine_without_the_extra_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of an engine is tried where its client is missing; the remedy is the same for all of it."""
    monkeypatch.setattr(extra, "MODULES", ("no_such_module",))
    for finding in (cluster.packages(), cluster.engine(), cluster.images()):
        assert (finding.ok, finding.remedy) == (False, "pip install 'autowasm[harness,kind]'")


@pytest.mark.parametrize(
    ("setting", "value", "line"),
    [
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "user.max_user_namespaces=15000"),
        ("user/max_user_namespaces", "15000", "--security-opt seccomp=unconfined"),
    ],
)
def test_the_setting_that_forbids_namespaces_is_named(
    tmp_path: Path, setting: str, value: str, line: str
) -> None:
    """A kernel setting that forbids is answered by the line that changes it, else a container is supposed."""
    (tmp_path / setting).parent.mkdir()
    (tmp_path / setting).write_text(value + "\n")
    assert line in namespaces.remedy(tmp_path)


def test_what_a_program_said_is_kept() -> None:
    """A try that succeeds says nothing; one that fails gives its last line, its exit code or the reason."""
    assert namespaces.attempt(["true"]) == ""
    assert namespaces.attempt(["sh", "-c", "echo first >&2; echo last >&2; exit 1"]) == "last"
    assert namespaces.attempt(["sh", "-c", "exit 4"]) == "sh: exit code 4"
    assert namespaces.attempt(["/no/such/program"]) == "/no/such/program: No such file or directory"


def test_without_unshare_there_is_no_local_mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the program is told which package brings it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    refusal = doctor.local_refusal()
    assert refusal
    assert "unshare is not on PATH" in refusal
    assert "util-linux" in refusal


def test_an_unshare_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kernel answers is part of the refusal."""
    fake = tmp_path / "unshare"
    fake.write_text("#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    refusal = doctor.local_refusal()
    assert refusal
    assert refusal.startswith(
        "may not be made by this user: unshare: unshare failed: Operation not permitted; "
    )


def test_memory_is_read_as_the_kernel_counts_it(tmp_path: Path) -> None:
    """MemAvailable is in kibibytes."""
    (tmp_path / "meminfo").write_text("MemTotal: 8000 kB\nMemFree: 1 kB\nMemAvailable:    4000 kB\n")
    assert machine.available(tmp_path / "meminfo") == 4000 * 1024


def test_the_disk_is_examined_before_the_folder_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room is counted where the cache folder will be, and examining does not make it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "not" / "yet"))
    finding = machine.disk(building=False)
    assert finding.ok is (shutil.disk_usage(tmp_path).free >= machine.GIB)
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_does_not_run_is_found(prebuilt: Path) -> None:
    """Programs are started, not only looked at."""
    (prebuilt / "etcd").write_text("#!/bin/sh\necho 'cannot execute binary file' >&2\nexit 126\n")
    (prebuilt / "istiod").unlink()
    found = {finding.what: finding for finding in programs.examine()}
    assert not found["etcd"].ok
    assert found["etcd"].detail == f"{prebuilt / 'etcd'} does not run: cannot execute binary file"
    assert found["registry"].ok
    assert found["registry"].detail.startswith("prebuilt-")
    assert (found["istiod"].ok, found["istiod"].detail) == (True, "1.31.0, to be built once: about 135 s")
    assert [program.name for program in programs.missing()] == ["istiod"]


def test_the_command_answers_in_json(prebuilt: Path) -> None:
    """`harness doctor --output json` has every finding and every mesh; exit code 3 where local cannot run."""
    (prebuilt / "etcd").write_text("#!/bin/sh\nexit 1\n")
    done = CliRunner().invoke(main, ["doctor", "--output", "json"])
    said = json.loads(done.stdout)
    assert done.exit_code == 3
    assert set(said["meshes"]) == {"sim", "local", "kind", "existing"}
    assert "etcd: " in said["meshes"]["local"]["why"]
    assert {"python", "go", "namespaces", "network", *LOCAL} <= {each["what"] for each in said["findings"]}


def test_the_command_answers_in_words(prebuilt: Path) -> None:
    """The text has one line a finding, a remedy under each bad one, and the meshes."""
    (prebuilt / "etcd").write_text("#!/bin/sh\nexit 1\n")
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 3
    lines = done.stdout.splitlines()
    bad = next(number for number, line in enumerate(lines) if line.startswith("✗ etcd"))
    assert lines[bad + 1] == "    -> replace it"
    assert "\x1b" not in done.stdout
    assert any(line.startswith("✗ local") and "etcd" in line for line in lines)


def test_the_toolchain_is_listed_without_building(prebuilt: Path) -> None:
    """`harness toolchain --list` says what is there and what would be built, and builds nothing."""
    (prebuilt / "etcd").unlink()
    done = CliRunner().invoke(main, ["toolchain", "--list", "--output", "json", "etcd", "registry"])
    assert done.exit_code == 0
    etcd, registry = json.loads(done.stdout)
    assert (etcd["from"], etcd["path"], etcd["version"]) == ("to be built", None, "3.6.14")
    assert (registry["from"], registry["path"]) == ("prebuilt", str(prebuilt / "registry"))
    assert registry["size"] == (prebuilt / "registry").stat().st_size


def test_the_toolchain_is_ensured(prebuilt: Path) -> None:
    """`harness toolchain` prints a row for each program that was asked for."""
    done = CliRunner().invoke(main, ["toolchain", "etcd", "kubectl"])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["program", "etcd", "kubectl"]
    assert str(prebuilt / "etcd") in done.stdout


def test_bad_input_is_exit_code_2_and_a_lacking_machine_3(
    prebuilt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped program is the user's input; a folder that is not there is the machine's lack."""
    mistyped = CliRunner().invoke(main, ["toolchain", "etdc"])
    assert mistyped.exit_code == 2
    assert "did you mean 'etcd'?" in mistyped.stderr
    monkeypatch.setenv("HARNESS_TOOLCHAIN", str(prebuilt / "none"))
    for arguments in (["toolchain", "etcd"], ["doctor"]):
        lacking = CliRunner().invoke(main, arguments)
        assert lacking.exit_code == 3
        assert "HARNESS_TOOLCHAIN must name a folder" in lacking.stdout + lacking.stderr


def test_without_namespaces_the_network_is_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is tried outside of namespaces, and the remedy is that of the namespaces."""
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = network.examine()
    assert (finding.ok, finding.remedy) == (False, "see to namespaces first")
