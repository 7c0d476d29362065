"""Which packages bring an engine, and the line that installs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.services.engine import packages


def _program(folder: Path, name: str, text: str = "") -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is all of PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_what_is_missing_is_named(path: Path) -> None:
    """The daemon's package; that of the command where the distribution has one of its own; nothing where both are."""
    _program(path, "apt-cache", "exit 100")
    assert packages.wanted() == ["docker.io"]
    _program(path, "dockerd")
    assert packages.wanted() == ["docker.io"]
    _program(path, "apt-cache", "exit 0")
    assert packages.wanted() == ["docker-cli"]
    _program(path, "docker")
    assert packages.wanted() == []
    (path / "dockerd").unlink()
    assert packages.wanted() == ["docker.io"]


def test_the_line_can_be_typed(path: Path) -> None:
    """With apt-get the whole line, by sudo where that is needed; without it, where to read on."""
    assert packages.line(["docker.io"]) == packages.ELSEWHERE
    assert not packages.possible()
    _program(path, "apt-get")
    sudo = "" if os.geteuid() == 0 else "sudo "
    assert packages.line(["docker.io", "x"]) == (
        f"{sudo}apt-get update && {sudo}apt-get install --yes --no-install-recommends docker.io x"
    )
    assert packages.possible() is (os.geteuid() == 0)
