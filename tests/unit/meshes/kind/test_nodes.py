"""The script that stands for kind, and what is remembered of a cluster."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.toolchain.binaries import Located, Toolchain

pytest.importorskip("docker", reason="a package of the extra kind")
pytest.importorskip("pytest_kind", reason="a package of the extra kind")
from harness.meshes.kind.nodes import Nodes
from harness.services.engine import Engine


@pytest.fixture
def nodes(tmp_path: Path) -> Nodes:
    """A cluster whose kind is a script that says how it was called; its folder has a space in its name."""
    kind = tmp_path / "the real kind"
    kind.write_text('#!/bin/sh\necho "out $DOCKER_HOST $KIND_EXPERIMENTAL_PROVIDER $*"; echo err >&2\n')
    kind.chmod(0o755)
    programs = {name: Located(name, kind, "prebuilt") for name in ("kind", "kubectl")}
    nothing: Any = None
    engine = Engine(nothing, "unix:///some where/docker.sock", ours=False)
    folder = tmp_path / "a folder"
    folder.mkdir()
    return Nodes("m", folder, engine, Toolchain(programs, print))


def test_kind_uses_our_engine_and_its_words_go_into_a_file(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the user's environment says: the engine is ours to choose. Only answers go to who asked."""
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "podman")
    monkeypatch.setenv("DOCKER_HOST", "unix:///another")
    done = [
        subprocess.run([nodes.script(), *words], capture_output=True, text=True, check=True)
        for words in (["create", "cluster"], ["get", "clusters"])
    ]
    assert [one.stdout for one in done] == ["", "out unix:///some where/docker.sock  get clusters\n"]
    assert [one.stderr for one in done] == ["", ""]
    log = (nodes.folder / "kind.log").read_text()
    assert log == "out unix:///some where/docker.sock  create cluster\nerr\nerr\n"
    assert int((nodes.folder / "kind.pid").read_text()) > 0


def test_pytest_kind_leaves_the_working_folder_alone(nodes: Nodes, tmp_path: Path) -> None:
    """Its folder is made in the cluster's, and the programs are those that it was given: nothing is downloaded."""
    before = Path.cwd()
    handle = nodes.handle("node:1")
    assert Path.cwd() == before
    assert not Path(".pytest-kind").exists()
    assert (nodes.folder / ".pytest-kind" / "m").is_dir()
    assert (handle.image, handle.kind_path) == ("node:1", nodes.folder / "kind")
    assert handle.kubectl_path == tmp_path / "the real kind"


def test_what_was_done_is_remembered_together(nodes: Nodes) -> None:
    """Values are added to those that are there; a damaged file is as none."""
    nodes.remember("images", {"a": "1", "b": "1"})
    nodes.remember("releases", {"istiod": "x"})
    nodes.remember("images", {"b": "2"})
    assert nodes.remembered("images") == {"a": "1", "b": "2"}
    assert nodes.remembered("releases") == {"istiod": "x"}
    (nodes.folder / "done.json").write_text("{")
    assert nodes.remembered("images") == {}
