"""Runs a command that must not outlive its asker: ``leash.py PARENT_PID SCRATCH COMMAND...``.

A Go build is a tree: `go` starts compilers and linkers, and nobody tells those that the asking process was
killed. So this small process stands between. The kernel sends it a signal when its parent dies
(PR_SET_PDEATHSIG); it then kills the command's whole process group and removes the scratch folder. Killing
is right: what `go` and `pip` keep they write whole or not at all, and `go build` leaves its work folder
behind at SIGINT too. Should this process be killed itself, the command has a death signal of its own.

It is a program because a death signal must be set between fork and exec, which is unsafe in a process with
threads; this one has none. It imports the standard library only, and is run by its path.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
from typing import Any

_PR_SET_PDEATHSIG = 1


def _signal_at_parents_death(number: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def main(parent: int, scratch: str, command: list[str]) -> int:
    """Run the command and return its exit code, 128 + signal where one ended it.

    The scratch folder stays on success only: then what was made lies in it.
    """
    _signal_at_parents_death(signal.SIGTERM)
    if os.getppid() != parent:
        return 128 + signal.SIGTERM  # it died before the line above took effect
    try:
        child = subprocess.Popen(
            command,
            process_group=0,
            preexec_fn=lambda: _signal_at_parents_death(signal.SIGKILL),  # noqa: PLW1509 - one thread, see above
        )
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 127  # as a shell says it

    def end(number: int, frame: Any) -> None:  # noqa: ARG001 - signal's signature
        _kill_group(child.pid)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    code = child.wait()
    if code != 0:
        _kill_group(child.pid)  # compilers of a `go` that died alone
        shutil.rmtree(scratch, ignore_errors=True)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
