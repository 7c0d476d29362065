"""``harness down`` where there is nothing to take down."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli import main


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'none.sock'}")


def test_nothing_of_ours_is_here(tmp_path: Path) -> None:
    """It says so, succeeds, asks no engine and makes no cache folder."""
    done = CliRunner().invoke(main, ["down"])
    assert (done.exit_code, done.stdout) == (0, "nothing of ours is here\n")
    assert list(tmp_path.iterdir()) == []


def test_all_of_nothing() -> None:
    """With --all an engine would be asked for things that no record knows; none answers."""
    pytest.importorskip("docker", reason="a package of the extra kind")
    done = CliRunner().invoke(main, ["down", "--all"])
    assert (done.exit_code, done.stdout) == (0, "nothing of ours is here\n")


def test_a_name_that_is_not_there() -> None:
    """Bad input: it is said which names there are."""
    done = CliRunner().invoke(main, ["down", "--name", "mine"])
    assert done.exit_code == 2
    assert done.stderr == "error: mesh mine: must be one of none: there is no mesh\n"
