"""Commands on a leash: real processes, and what is left of them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.toolchain import leash

PROGRAM = str(Path(leash.__file__))
# The asker: starts a command on a leash, says the leash's process, and waits.
ASKER = f"""
import os, subprocess, sys
leash = subprocess.Popen([sys.executable, "-I", "-S", {PROGRAM!r}, str(os.getpid()), *sys.argv[1:]])
print(leash.pid, flush=True)
leash.wait()
"""
# The command: a tree of two, each saying its process number.
TREE = "echo $$; sh -c 'echo $$; exec sleep 60' & wait"


def gone(pid: int) -> bool:
    """Whether a process is gone, or dead and not yet reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def leashed(scratch: Path, *command: str) -> int:
    """The exit code of a command on a leash of this process."""
    argv = [sys.executable, "-I", "-S", PROGRAM, str(os.getpid()), str(scratch), *command]
    return subprocess.run(argv, stderr=subprocess.DEVNULL, check=False).returncode


@pytest.mark.parametrize(
    ("command", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 128 + signal.SIGTERM)]
)
def test_the_exit_code_is_the_commands(tmp_path: Path, command: str, code: int) -> None:
    """An exit code passes through, a signal becomes 128 and its number."""
    assert leashed(tmp_path / "scratch", "sh", "-c", command) == code


def test_a_command_that_is_none(tmp_path: Path) -> None:
    """A program that is not there gives 127, as in a shell."""
    assert leashed(tmp_path / "scratch", str(tmp_path / "nothing")) == 127


@pytest.mark.parametrize(("command", "stays"), [("exit 0", True), ("exit 1", False)])
def test_the_scratch_folder_stays_on_success_only(tmp_path: Path, command: str, stays: bool) -> None:
    """What a failed command half wrote goes with it."""
    (tmp_path / "half").write_text("half")
    leashed(tmp_path, "sh", "-c", command)
    assert tmp_path.exists() is stays


@pytest.mark.parametrize("victim", ["asker", "leash"])
def test_kill_9_leaves_nothing(tmp_path: Path, until, victim: str) -> None:
    """With the asker go the leash, the command's tree and the scratch folder; with the leash, the command."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    asker = subprocess.Popen(
        [sys.executable, "-c", ASKER, str(scratch), "sh", "-c", TREE], stdout=subprocess.PIPE, text=True
    )
    assert asker.stdout
    with asker.stdout:
        pids = [int(asker.stdout.readline()) for _ in range(3)]
        os.kill(asker.pid if victim == "asker" else pids[0], signal.SIGKILL)
        asker.wait()
    if victim == "asker":
        until(lambda: all(map(gone, pids)))
        assert not scratch.exists()
    else:  # the command's leader has a death signal of its own; a child of it ends its own unit of work
        until(lambda: all(map(gone, pids[:2])))
        os.kill(pids[2], signal.SIGKILL)


def test_a_parent_that_is_already_dead(tmp_path: Path) -> None:
    """Where the asker died before the leash was on, the command does not start."""
    argv = [sys.executable, "-I", "-S", PROGRAM, "1", str(tmp_path), "touch", str(tmp_path / "started")]
    assert subprocess.run(argv, check=False).returncode == 128 + signal.SIGTERM
    assert not (tmp_path / "started").exists()
