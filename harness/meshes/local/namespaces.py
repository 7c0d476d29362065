"""From outside into namespaces: runs a command as the child of a PID 1 of its own, and waits for it.

The outer process stays where it is. It holds the lifeline (see ``harness.services.init``), passes signals on that
somebody sent to it, and returns the command's exit code. Sockets that it bound stay in the network namespace of the
host: they are passed down by number, and the inside accepts on them.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harness.meshes.local import state
from harness.services import init

LISTENERS: Final = "HARNESS_LISTENERS"
FOLDER: Final = "HARNESS_MESH_FOLDER"
DIE_WITH_PARENT: Final = "HARNESS_DIE_WITH_PARENT"

_UNSHARE: Final = ("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child=KILL")
_USER: Final = ("--user", "--map-root-user")
_WAITED: Final = frozenset({signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
_SI_KERNEL: Final = 0x80  # the terminal sent it, and to everybody in the foreground
_PR_SET_PDEATHSIG: Final = 1
_CREDENTIALS: Final = struct.Struct("3i")


def inside() -> bool:
    """Whether this process is already in a mesh's namespaces."""
    return init.MARKER.exists()


def enter(
    argv: Sequence[str], listeners: Sequence[socket.socket], *, name: str = "run", exact: bool = False
) -> int:
    """Run a command in fresh namespaces and return its exit code (128 + n where signal n ended it).

    ``name`` is the mesh's for ``harness exec``; unless it must be ``exact`` it gets a number where it is taken.

    Raises:
        FileExistsError: ``exact``, and a mesh of that name runs.
    """
    if os.environ.get(DIE_WITH_PARENT):
        die_with_parent()
    state.running()  # removes what killed runs left
    with state.owned(name, exact=exact) as place:
        return _run(argv, listeners, place)


def listeners() -> list[socket.socket]:
    """Inside: the sockets that were passed to ``enter``, in the same order."""
    return [socket.socket(fileno=int(number)) for number in os.environ.get(LISTENERS, "").split()]


def folder() -> Path:
    """Inside: the folder of this mesh under the cache, for what must be found from outside; it goes with the mesh."""
    return Path(os.environ[FOLDER])


def die_with_parent() -> None:
    """End this process by SIGTERM when its parent ends, as one that a killed ``nox`` leaves behind must."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before the kernel knew
        os.kill(os.getpid(), signal.SIGTERM)


def user_namespaces_allowed() -> bool:
    """Whether this user may make a user namespace here: tried, since many switches can forbid it."""
    tried = subprocess.run(["unshare", *_USER, "true"], check=False, stderr=subprocess.DEVNULL)
    return tried.returncode == 0


def _run(argv: Sequence[str], passed: Sequence[socket.socket], place: Path) -> int:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    user = user_namespaces_allowed() or os.geteuid() != 0
    try:
        with theirs:
            process = _start([*(_USER if user else ())], theirs, argv, passed, place)
        _record(ours, place, user_namespace=user)
        return _wait(process, ours)
    finally:
        ours.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(
    user: Sequence[str],
    lifeline: socket.socket,
    argv: Sequence[str],
    passed: Sequence[socket.socket],
    place: Path,
) -> subprocess.Popen[bytes]:
    numbers = [one.fileno() for one in passed]
    environment = {LISTENERS: " ".join(map(str, numbers)), FOLDER: str(place)}
    pid_one = [sys.executable, "-m", "harness.services.init", str(lifeline.fileno()), "--", *argv]
    return subprocess.Popen(
        [*_UNSHARE, *user, "--", *pid_one],
        pass_fds=[lifeline.fileno(), *numbers],
        env=os.environ | environment,
    )


def _record(lifeline: socket.socket, place: Path, *, user_namespace: bool) -> None:
    """Learn the id of PID 1 as seen from here; nothing is recorded where it ended before it could say so."""
    data, ancillary, _flags, _address = lifeline.recvmsg(1, socket.CMSG_SPACE(_CREDENTIALS.size))
    if data and ancillary:
        state.record(place, _CREDENTIALS.unpack(ancillary[0][2])[0], user_namespace=user_namespace)
        lifeline.send(b"+")


def _wait(process: subprocess.Popen[bytes], lifeline: socket.socket) -> int:
    while True:
        info = signal.sigwaitinfo(_WAITED)
        if info.si_signo != signal.SIGCHLD:
            if info.si_code != _SI_KERNEL:
                _pass_on(lifeline, info.si_signo)
        elif (code := process.poll()) is not None:
            return code if code >= 0 else 128 - code


def _pass_on(lifeline: socket.socket, number: int) -> None:
    try:
        lifeline.send(bytes([number]))
    except OSError:  # the inside is ending on its own
        return
