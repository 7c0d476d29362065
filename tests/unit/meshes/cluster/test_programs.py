"""kubectl and helm as they are called: by a stand-in that notes its command line and says what it is told to say."""

from __future__ import annotations

import dataclasses
import json
import stat
import sys
from pathlib import Path

import pytest

from harness.mesh import HelmWish, Refused
from harness.meshes.cluster import Settings
from harness.meshes.cluster.programs import Helm, Kubectl

STATUS = {"version": 3, "info": {"status": "deployed"}}


class StandIn:
    """A program that notes how it was called, prints one text, and ends with one code."""

    def __init__(self, folder: Path, printed: str = "", said: str = "", code: int = 0) -> None:
        self.path = folder / "program"
        self._notes = folder / "notes"
        self.path.write_text(
            f"#!{sys.executable}\n"
            "import json, os, pathlib, sys\n"
            "values = [pathlib.Path(a.partition('=')[2]).read_text() for a in sys.argv if a.startswith('--values=')]\n"
            "note = {'argv': sys.argv[1:], 'values': values, 'env': dict(os.environ)}\n"
            f"pathlib.Path({str(self._notes)!r}).open('a').write(json.dumps(note) + '\\n')\n"
            f"print({printed!r}); print({said!r}, file=sys.stderr); sys.exit({code})\n"
        )
        self.path.chmod(stat.S_IRWXU)

    @property
    def calls(self) -> list[dict[str, object]]:
        """How it was called."""
        return [json.loads(line) for line in self._notes.read_text().splitlines()]

    @property
    def argvs(self) -> list[list[str]]:
        """Its command lines."""
        return [[str(word) for word in call["argv"]] for call in self.calls]  # type: ignore[attr-defined]


@pytest.fixture
def settings() -> Settings:
    """A cluster with a chart of ours."""
    return Settings("kind", Path("/k"), "apps:1", "registry.test", context="c", chart=Path("/chart"))


def test_kubectl_knows_which_cluster(tmp_path: Path, settings: Settings) -> None:
    """Every command names the kubeconfig and the context; without one the current is meant."""
    program = StandIn(tmp_path, printed="out")
    assert Kubectl(program.path, settings)("get", "pods") == b"out\n"
    Kubectl(program.path, dataclasses.replace(settings, context=None))("version")
    assert program.argvs == [
        ["--kubeconfig=/k", "--context=c", "get", "pods"],
        ["--kubeconfig=/k", "version"],
    ]


def test_what_a_program_says_against_it_is_told(tmp_path: Path, settings: Settings) -> None:
    """A failure is refused in the program's own words, or with its code where it says nothing."""
    with pytest.raises(Refused, match="kubectl: no such pod"):
        Kubectl(StandIn(tmp_path, said="no such pod", code=1).path, settings)("get")
    with pytest.raises(Refused, match="kubectl: exit code 4"):
        Kubectl(StandIn(tmp_path, code=4).path, settings)("get")


def test_a_program_that_hangs_is_ended(tmp_path: Path, settings: Settings) -> None:
    """A time limit ends it, and that is said."""
    program = tmp_path / "hangs"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(stat.S_IRWXU)
    with pytest.raises(Refused, match=r"kubectl: must end within 0\.2 s, did not"):
        Kubectl(program, settings)("get", timeout=0.2)


def test_an_upgrade_lays_values_over_those_there_are(tmp_path: Path, settings: Settings) -> None:
    """Helm upgrades the release with our chart and waits; what it is afterwards is asked for."""
    program = StandIn(tmp_path, printed=json.dumps(STATUS))
    wish = HelmWish("upgrade", values={"wasmer": {"replicas": 3}}, timeout=30)
    release = Helm(program.path, settings)(wish)
    assert (release.revision, release.status) == (3, "deployed")
    upgrade, status = program.argvs
    assert upgrade[:3] == ["upgrade", "wasmer", "/chart"]
    assert {"--reuse-values", "--wait", "--timeout=30s", "--kube-context=c", "--namespace=istio-system"} <= {
        *upgrade
    }
    assert program.calls[0]["values"] == ['{"wasmer": {"replicas": 3}}']
    assert status[:3] == ["status", "wasmer", "--output=json"]
    assert "--wait" not in status


@pytest.mark.parametrize(
    ("revision", "words"), [(2, ["rollback", "wasmer", "2"]), (None, ["rollback", "wasmer"])]
)
def test_a_rollback_goes_to_a_revision(
    tmp_path: Path, settings: Settings, revision: int | None, words: list[str]
) -> None:
    """A revision is named where there is one, and without waiting nothing is waited for."""
    program = StandIn(tmp_path, printed=json.dumps(STATUS))
    Helm(program.path, settings)(HelmWish("rollback", revision=revision, wait=False))
    rollback = program.argvs[0]
    assert [word for word in rollback if not word.startswith("--")] == words
    assert "--wait" not in rollback


def test_helm_sees_nothing_of_the_users_own(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the user's KUBECONFIG nor the folders of the user's helm reach it."""
    monkeypatch.setenv("KUBECONFIG", "/users")
    monkeypatch.setenv("HELM_DATA_HOME", "/users")
    program = StandIn(tmp_path, printed=json.dumps(STATUS))
    Helm(program.path, settings)(HelmWish("status"))
    env = program.calls[0]["env"]
    assert isinstance(env, dict)
    assert "KUBECONFIG" not in env
    assert env["HELM_DATA_HOME"] != "/users"
