"""What is run on a node to kill a container's process, by a runtime's program that writes down what it is asked."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.mesh import Broken, Refused
from harness.toolchain.binaries import Toolchain

pytest.importorskip("docker", reason="a package of the extra kind")
pytest.importorskip("pytest_kind", reason="a package of the extra kind")
from docker.errors import NotFound

from harness.meshes.kind.killing import Killing, process_of
from harness.meshes.kind.nodes import Nodes
from harness.services.engine import Engine

CTR = """#!/bin/sh
echo "$@" >> asked
case "$3" in
ls) printf 'TASK    PID    STATUS    \\nabc     12     RUNNING\\ndef     13     STOPPED\\n' ;;
kill) [ "$5" != def ] || { echo 'ctr: task must run' >&2; exit 1; } ;;
esac
"""


class Node:
    """A container, as the engine's library has it, whose commands run in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def exec_run(self, argv: Sequence[str]) -> tuple[int, bytes]:
        """Run a command; both its outputs are one."""
        path = f"{self.folder}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            argv,
            cwd=self.folder,
            env={"PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return done.returncode, done.stdout


class Client:
    """An engine that has one container."""

    def __init__(self, node: Node) -> None:
        self.node = node

    @property
    def containers(self) -> Client:
        """Its containers."""
        return self

    def get(self, name: str) -> Node:
        """One by its name."""
        if name != "m-control-plane":
            raise NotFound(f"No such container: {name}")
        return self.node


@pytest.fixture
def killing(tmp_path: Path) -> Killing:
    """A node with a container that runs, and one that ended in this moment."""
    program = tmp_path / "ctr"
    program.write_text(CTR)
    program.chmod(0o755)
    return on("m", tmp_path)


def on(cluster: str, folder: Path) -> Killing:
    """The node of a cluster."""
    client: Any = Client(Node(folder))
    return Killing(
        Nodes(cluster, folder, Engine(client, "unix:///nowhere", ours=False), Toolchain({}, print))
    )


def test_a_process_is_killed_and_told(killing: Killing, tmp_path: Path) -> None:
    """SIGKILL goes to the container's task in the kubelet's namespace of the runtime."""
    assert killing.kill("abc") == 12
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == ["--namespace=k8s.io tasks ls", "--namespace=k8s.io tasks kill --signal=SIGKILL abc"]


@pytest.mark.parametrize(("container", "told"), [("def", "ctr: task must run"), ("no; reboot", "STOPPED")])
def test_what_cannot_be_killed_is_refused(killing: Killing, container: str, told: str) -> None:
    """With the runtime's last words; what is no id of a container is no command either."""
    with pytest.raises(Refused, match=f"container {container}: must run on m-control-plane: .*{told}"):
        killing.kill(container)


def test_a_node_that_is_gone_breaks_the_mesh(tmp_path: Path) -> None:
    """There is nothing to go on with."""
    with pytest.raises(Broken, match=r"node other-control-plane: must run commands: .*No such container"):
        on("other", tmp_path).kill("abc")


@given(st.text(), st.text())
def test_any_list_is_read(container: str, listed: str) -> None:
    """Whatever is listed, there is a process or none; and one that stands there is found."""
    found = process_of(container, listed)
    assert found is None or str(found) in listed or not listed.isascii()
    assert process_of("abc", f"{listed}\nabc  7  RUNNING\n") is not None
