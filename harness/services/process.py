"""A real program as a service: its own log, a wait for health, early death told with its last lines, TERM then KILL.

A program gets a session of its own, so that Ctrl-C at the terminal reaches the runner alone, and a parent-death
signal, so that it ends where a runner outside of a pid namespace is killed. The kernel ties that signal to the
*thread* that forked (prctl(2), PR_SET_PDEATHSIG): all programs are started by one thread that lives as long as the
interpreter. ``setpriv`` sets it between fork and exec: Python code must not run there while other threads hold locks.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness.mesh import Broken, Refused

POLL_SECONDS: Final = 0.01
_LAST_LINES: Final = 12
_LAST_BYTES: Final = 8192
_KILL_SECONDS: Final = 5.0

# A proxy of the host's network is not reachable from a mesh, and Go programs would send mesh traffic to it.
_NOT_INHERITED: Final = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy", "kubeconfig"})

_NAMED: Final = ("unshare", "--uts", "sh", "-c", 'echo "$0" >/proc/sys/kernel/hostname && exec "$@"')
"""Ends in exec, too; its first argument is the host name."""

_launcher: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="launcher")


@dataclass(frozen=True, slots=True)
class Program:
    """What to start: ``argv`` in the network namespace ``netns`` (a path under /run/netns), output to ``log``.

    Where a ``hostname`` is given the program has a host name of its own, as a container has its Pod's.
    """

    name: str
    argv: Sequence[str | Path]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    netns: Path | None = None
    hostname: str = ""


class Process:
    """A started program."""

    def __init__(self, program: Program, popen: subprocess.Popen[bytes]) -> None:
        self.name = program.name
        self.log = program.log
        self._program = program
        self._popen = popen

    @property
    def pid(self) -> int:
        """Process id of the program itself: the wrappers before it end in exec."""
        return self._popen.pid

    @property
    def alive(self) -> bool:
        """Whether it is still running."""
        return self._popen.poll() is None

    def again(self, extra: Mapping[str, str]) -> None:
        """Start the same program once more, after its end, with more in its environment.

        Raises:
            Broken: it cannot be started at all.
        """
        program = dataclasses.replace(self._program, env={**self._program.env, **extra})
        self._popen = _launcher.submit(_spawn, program).result()

    def check(self) -> None:
        """Do nothing while it runs.

        Raises:
            Broken: it has ended; the message tells how and quotes its last lines.
        """
        code = self._popen.poll()
        if code is not None:
            raise Broken(f"{self.name}: must keep running, {_ending(code)}{self._quote()}")

    def wait(self, what: str, condition: Callable[[], bool], timeout: float) -> None:
        """Poll until ``condition`` holds, at most ``timeout`` seconds.

        Raises:
            Broken: it ended before, or the time was over; the message quotes its last lines.
        """
        deadline = time.monotonic() + timeout
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise Broken(f"{self.name}: {what} within {timeout:g} s, not yet so{self._quote()}")
            time.sleep(POLL_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens where it has ended."""
        self._popen.send_signal(number)

    def stop(self, grace: float = 2.0) -> None:
        """TERM, then KILL after ``grace`` seconds. Returns once it is gone."""
        stop_all([self], grace)

    def wait_for_end(self, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds for its end; False where it still runs then."""
        try:
            self._popen.wait(max(timeout, 0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def last_lines(self) -> list[str]:
        """The last lines of its log, at most a dozen."""
        try:
            with self.log.open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - _LAST_BYTES))
                return file.read().decode(errors="replace").splitlines()[-_LAST_LINES:]
        except OSError:
            return []

    def _quote(self) -> str:
        lines = self.last_lines()
        return "\n    ".join(["; its last lines:", *lines]) if lines else ""


def start(program: Program) -> Process:
    """Start a program.

    Raises:
        Broken: it cannot be started at all.
    """
    return Process(program, _launcher.submit(_spawn, program).result())


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Poll until ``condition`` holds, at most ``timeout`` seconds; whether it does."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def stop_all(processes: Iterable[Process], grace: float = 2.0) -> None:
    """TERM to all at once, KILL to those that still run after ``grace`` seconds. Returns once all are gone."""
    processes = list(processes)
    for process in processes:
        process.signal(signal.SIGTERM)
    deadline = time.monotonic() + grace
    for process in processes:
        if not process.wait_for_end(deadline - time.monotonic()):
            process.signal(signal.SIGKILL)
    for process in processes:
        process.wait_for_end(_KILL_SECONDS)


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program: this process's own without proxies and KUBECONFIG, and ``extra``."""
    own = {key: value for key, value in os.environ.items() if key.lower() not in _NOT_INHERITED}
    return own | dict(extra)


def ended(
    name: str, command: Sequence[str], extra: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, without input, and keep what it says; ``timeout`` is in seconds.

    Raises:
        Refused: it has not ended in time.
    """
    try:
        return subprocess.run(
            command,
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            env=environment(extra),
        )
    except subprocess.TimeoutExpired as error:
        raise Refused(f"{name}: must end within {timeout:g} s, did not") from error


def python(module: str, *arguments: str) -> list[str]:
    """The command line of a Python program of this checkout or installation."""
    return [sys.executable, "-m", module, *arguments]


def _spawn(program: Program) -> subprocess.Popen[bytes]:
    enter = ["nsenter", f"--net={program.netns}"] if program.netns else []
    named = [*_NAMED, program.hostname] if program.hostname else []
    argv = ["setpriv", "--pdeathsig", "KILL", *enter, *named, *map(str, program.argv)]
    program.log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with program.log.open("ab") as log:
            return subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(program.env),
                cwd=program.cwd,
                start_new_session=True,
            )
    except OSError as error:
        raise Broken(f"{program.name}: must start, {error}") from error


def _ending(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
