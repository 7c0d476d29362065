"""Namespaces around a command: what it finds there, how it ends, and that nothing of it is ever left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from harness.meshes.local import state
from tests.programs import namespaced
from tests.programs.namespaced import Tree, eventually

pytestmark = pytest.mark.programs

# A command with a child in a session of its own, as services are; the child ignores the polite signals.
BUSY = ["sh", "-c", "setsid sh -c 'trap \"\" TERM INT HUP; exec sleep 1001' & echo up; exec sleep 1000"]


@pytest.fixture
def tree() -> Iterator[Tree]:
    """A tree of processes that does not outlive the test."""
    with namespaced.tree() as one:
        yield one


@pytest.fixture
def busy(tree: Tree) -> Tree:
    """A tree that is up: a command that waits, with a stubborn child."""
    outer = tree.start(BUSY)
    assert outer.stdout is not None
    assert outer.stdout.readline() == "up\n"
    tree.find("sleep 1001")
    return tree


def test_inside_is_a_network_with_a_loopback_and_nothing_else(tree: Tree) -> None:
    """A command finds itself in an empty network whose loopback is up, and knows that it is inside."""
    script = (
        "import socket; from harness.meshes.local import namespaces as n;"
        "s = socket.create_server(('127.0.0.1', 80)); socket.create_connection(('127.0.0.1', 80));"
        "print(n.inside(), [name for _, name in socket.if_nameindex()])"
    )
    out, err = tree.start([sys.executable, "-c", script]).communicate(timeout=30)
    assert (out, err) == ("True ['lo']\n", "")


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -9 $$", 137), ("exit 0", 0)])
def test_exit_code_is_passed_on(tree: Tree, script: str, code: int) -> None:
    """The exit code of the command is the outer process's, 128 + n for signal n."""
    outer = tree.start(["sh", "-c", script])
    outer.communicate(timeout=30)
    assert outer.returncode == code


def test_a_command_that_is_not_there_is_said(tree: Tree) -> None:
    """A command that cannot be started is named, with the exit code that shells use."""
    outer = tree.start(["/no/such/program"])
    _, err = outer.communicate(timeout=30)
    assert (outer.returncode, err) == (127, "error: /no/such/program: No such file or directory\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_outer_process_reaches_the_command_once(tree: Tree, number: signal.Signals) -> None:
    """A signal that somebody sends to the outer process arrives at the command, which decides how to end."""
    script = (
        "import signal, sys\n"
        f"signal.signal({number.value}, lambda *_: (print('got it', flush=True), sys.exit(9)))\n"
        "print('up', flush=True)\n"
        "while True: signal.pause()"
    )
    outer = tree.start([sys.executable, "-c", script])
    assert outer.stdout is not None
    assert outer.stdout.readline() == "up\n"
    outer.send_signal(number)
    out, _ = outer.communicate(timeout=30)
    assert (out, outer.returncode) == ("got it\n", 9)
    assert tree.gone()


VICTIMS: dict[str, Callable[[Tree], int]] = {
    "the outer process": lambda tree: tree.outer.pid if tree.outer else 0,
    "unshare": lambda tree: tree.find("unshare "),
    "PID 1": lambda tree: tree.find(f"{sys.executable} -m harness.services.init"),
    "the command": lambda tree: tree.find("sleep 1000"),
}


@pytest.mark.parametrize("victim", VICTIMS)
def test_kill_9_of_any_process_leaves_nothing(busy: Tree, victim: str) -> None:
    """Whichever process is killed, every process of the tree ends, the stubborn ones too."""
    os.kill(VICTIMS[victim](busy), signal.SIGKILL)
    assert busy.gone(), busy.processes()


def test_the_end_of_the_command_ends_its_children(busy: Tree) -> None:
    """Children that a command leaves behind end with it."""
    assert busy.outer is not None
    busy.outer.send_signal(signal.SIGTERM)
    busy.outer.wait(20)
    assert busy.gone(), busy.processes()


def test_a_killed_parent_ends_a_run_that_asked_for_it(tree: Tree) -> None:
    """With HARNESS_DIE_WITH_PARENT set, a run ends when the process that started it is killed."""
    name, value = tree.mark.split("=")
    script = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    command = [sys.executable, "-c", namespaced.ENTER, value, *BUSY]
    parent = subprocess.Popen(
        [sys.executable, "-c", script, *command],
        env={**os.environ, name: value, "HARNESS_DIE_WITH_PARENT": "1"},
        stdout=subprocess.DEVNULL,
    )
    tree.find("sleep 1001")
    parent.kill()
    parent.wait(20)
    assert tree.gone(), tree.processes()


def test_a_running_mesh_is_listed_with_its_pid_1_and_then_no_more(busy: Tree) -> None:
    """State names a mesh and the PID 1 of its namespaces while it runs, and forgets it when it ends."""
    name = busy.mark.split("=")[1]
    [found] = [one for one in state.running() if one.name == name]
    assert found.pid == busy.find(f"{sys.executable} -m harness.services.init")
    assert busy.outer is not None
    busy.outer.send_signal(signal.SIGTERM)
    busy.outer.wait(20)
    assert not found.folder.exists()
    assert name not in [one.name for one in state.running()]


def test_what_a_killed_run_left_is_removed_by_the_next_look(busy: Tree) -> None:
    """The folder of a run whose outer process was killed goes when anybody looks next."""
    name = busy.mark.split("=")[1]
    assert busy.outer is not None
    busy.outer.kill()
    busy.outer.wait(20)
    assert busy.gone()
    assert (state.folder() / name).exists()
    assert name not in [one.name for one in state.running()]
    assert not (state.folder() / name).exists()


def test_a_name_that_is_taken_gets_a_number_unless_it_must_be_exact(busy: Tree) -> None:
    """Two meshes never share a name: the second gets another, or is refused where it insists."""
    name = busy.mark.split("=")[1]
    with state.owned(name, exact=False) as place:
        assert place.name == f"{name}-2"
    with pytest.raises(FileExistsError, match=name), state.owned(name, exact=True):
        pass


def test_sockets_of_the_host_are_accepted_inside() -> None:
    """A socket that was bound before is the host's, and the command inside accepts on it."""
    script = (
        "import socket, sys; from harness.meshes.local import namespaces as n\n"
        "if n.inside():\n"
        "    [one] = n.listeners(); peer, _ = one.accept(); peer.sendall(b'from inside'); sys.exit(0)\n"
        "one = socket.create_server(('127.0.0.1', 0)); print(one.getsockname()[1], flush=True)\n"
        "sys.exit(n.enter([sys.executable, '-c', sys.argv[1], sys.argv[1]], [one]))"
    )
    outer = subprocess.Popen([sys.executable, "-c", script, script], stdout=subprocess.PIPE, text=True)
    assert outer.stdout is not None
    port = int(outer.stdout.readline())
    answer = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import socket; print(socket.create_connection(('127.0.0.1', {port})).recv(99))",
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )
    assert answer.stdout == b"b'from inside'\n"
    outer.communicate(timeout=30)
    assert outer.returncode == 0


def test_two_at_once_have_ports_of_their_own(tree: Tree) -> None:
    """The same port is free in two namespaces at the same time."""
    script = "import socket; s = socket.create_server(('0.0.0.0', 5000)); print('up', flush=True); s.accept()"
    with namespaced.tree() as second:
        for one in (tree, second):
            outer = one.start([sys.executable, "-c", script])
            assert outer.stdout is not None
            assert outer.stdout.readline() == "up\n"
        assert eventually(lambda: bool(tree.processes()) and bool(second.processes()))
