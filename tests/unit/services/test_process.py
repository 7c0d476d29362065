"""Programs as services, with real ones of the system: sh and sleep."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.mesh import Broken
from harness.services import process
from harness.services.process import Process, Program


def sh(script: str, tmp_path: Path, env: dict[str, str] | None = None) -> Process:
    """A shell script as a service."""
    return process.start(Program("script", ["sh", "-c", script], tmp_path / "logs" / "script.log", env or {}))


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_output_goes_to_the_log_and_health_is_waited_for(tmp_path: Path) -> None:
    """A condition is polled until it holds, while what the program says is in its log."""
    one = sh(f"echo out; echo err >&2; sleep 0.1; touch {tmp_path}/ready; exec sleep 100", tmp_path)
    one.wait("must be ready", (tmp_path / "ready").exists, 20)
    assert one.last_lines() == ["out", "err"]
    one.stop()
    assert not one.alive


def test_early_death_is_told_with_its_exit_code_and_last_lines(tmp_path: Path) -> None:
    """Waiting for a program that ends is over at once, and says how it ended and what it said last."""
    one = sh("for n in $(seq 1 100); do echo line $n; done; exit 3", tmp_path)
    began = time.monotonic()
    with pytest.raises(Broken) as caught:
        one.wait("must be ready", lambda: False, 60)
    assert time.monotonic() - began < 30
    told = str(caught.value).splitlines()
    assert told[0] == "script: must keep running, exited with code 3; its last lines:"
    assert told[1:] == [f"    line {number}" for number in range(89, 101)]


def test_a_program_that_is_killed_is_told_by_the_signal(tmp_path: Path) -> None:
    """A process that somebody killed is Broken by the name of the signal."""
    one = sh("exec sleep 100", tmp_path)
    one.signal(signal.SIGKILL)
    assert one.wait_for_end(20)
    with pytest.raises(Broken, match=r"^script: must keep running, was ended by SIGKILL$"):
        one.check()


def test_what_never_becomes_healthy_is_told_after_its_time(tmp_path: Path) -> None:
    """A wait ends at its time-out and names what was waited for."""
    one = sh("echo hm; exec sleep 100", tmp_path)
    try:
        one.wait("must say something", lambda: bool(one.last_lines()), 20)
        with pytest.raises(Broken, match=r"script: must be ready within 0.05 s, not yet so(?s:.*)hm"):
            one.wait("must be ready", lambda: False, 0.05)
    finally:
        one.stop()


def test_a_program_that_does_not_exist_is_broken_by_name(tmp_path: Path) -> None:
    """A missing program ends with the wrapper's words in the message."""
    one = process.start(Program("ghost", ["/no/such/program"], tmp_path / "ghost.log"))
    with pytest.raises(
        Broken, match=r"ghost: must keep running, exited with code 127(?s:.*)/no/such/program"
    ):
        one.wait("must be ready", lambda: False, 20)


def test_stopping_is_polite_first_and_then_firm(tmp_path: Path) -> None:
    """TERM ends those that listen, KILL those that do not, all at the same time."""
    polite = sh(
        f"trap 'touch {tmp_path}/cleaned; exit 0' TERM; echo up; while :; do sleep 0.01; done", tmp_path
    )
    deaf = process.start(
        Program(
            "deaf", ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.01; done"], tmp_path / "deaf.log"
        )
    )
    for one in (polite, deaf):
        one.wait("must be up", lambda one=one: one.last_lines() == ["up"], 20)
    process.stop_all([polite, deaf], grace=0.5)
    assert (tmp_path / "cleaned").exists()
    assert not polite.alive
    assert not deaf.alive
    process.stop_all([polite, deaf])  # a second time is nothing


def test_proxies_and_kubeconfig_of_the_user_are_not_inherited(tmp_path: Path) -> None:
    """What would lead a program out of the mesh is taken out of its environment, the rest stays."""
    script = (
        "from pathlib import Path; from harness.services import process\n"
        f"one = process.start(process.Program('env', ['env'], Path({str(tmp_path / 'env.log')!r}), {{'OWN': 'yes'}}))\n"
        "one.wait_for_end(20)"
    )
    given = {
        "HTTP_PROXY": "http://p",
        "https_proxy": "http://p",
        "NO_PROXY": "*",
        "KUBECONFIG": "/k",
        "STAYS": "1",
    }
    subprocess.run([sys.executable, "-c", script], env={**os.environ, **given}, check=True, timeout=30)
    names = {line.partition("=")[0] for line in (tmp_path / "env.log").read_text().splitlines()}
    assert {"OWN", "STAYS", "PATH"} <= names
    assert not names & {"HTTP_PROXY", "https_proxy", "NO_PROXY", "KUBECONFIG"}


def test_programs_end_with_a_starter_that_is_killed(tmp_path: Path) -> None:
    """The kernel ends a program when the process that started it is killed, whichever thread started it."""
    script = (
        "import threading, time; from pathlib import Path; from harness.services import process\n"
        "def start():\n"
        f"    one = process.start(process.Program('sleep', ['sleep', '100'], Path({str(tmp_path / 'log')!r})))\n"
        "    print(one.pid, flush=True)\n"
        "thread = threading.Thread(target=start); thread.start(); thread.join()\n"
        "time.sleep(100)"
    )
    starter = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}/comm").read_text() != "sleep\n" and time.monotonic() < deadline:
        time.sleep(0.01)  # before that its signal may not be set yet
    assert alive(pid)
    starter.kill()
    starter.communicate(timeout=20)
    deadline = time.monotonic() + 20
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(pid)
