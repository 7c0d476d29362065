"""Runs a command that must not outlive the process that asked for it: ``leash.py PARENT_PID COMMAND...``.

A Go build is a tree: `go` starts compilers and linkers. `go` ends itself tidily on SIGINT (it removes its
work folder), its compilers end at once, but nobody sends them one when the asking process is killed. So
this small process stands between: the kernel sends it a signal when its parent dies (PR_SET_PDEATHSIG), and
it hands that on to the command's whole process group. Should this process be killed itself, the command has
a death signal of its own. It is a program because a death signal must be set between fork and exec, which
is unsafe in a process with threads; this one has none. It imports the standard library only, and is run by
its path.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from typing import Any

_PR_SET_PDEATHSIG = 1
_GRACE_SECONDS = 10.0  # then the group is killed


def _signal_at_parents_death(number: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


def _kill(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def main(parent: int, command: list[str]) -> int:
    """Run the command and return its exit code, 128 + signal where one ended it."""
    _signal_at_parents_death(signal.SIGTERM)
    if os.getppid() != parent:
        return 128 + signal.SIGTERM  # it died before the line above took effect
    child = subprocess.Popen(
        command,
        process_group=0,
        preexec_fn=lambda: _signal_at_parents_death(signal.SIGINT),  # noqa: PLW1509 - one thread, see above
    )

    def end(number: int, frame: Any) -> None:  # noqa: ARG001 - signal's signature
        _kill(child.pid, signal.SIGINT)
        last = threading.Timer(_GRACE_SECONDS, _kill, (child.pid, signal.SIGKILL))
        last.daemon = True  # this process does not stay for a timer that has nothing left to kill
        last.start()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    code = child.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
