"""PID 1 of a mesh's namespaces: prepares them, runs one child, and takes everything with it when it ends.

    python -m harness.services.init LIFELINE_FD -- COMMAND...

The kernel ends every process of a pid namespace when its PID 1 ends, so whatever happens to the child, to this
process or to the one outside, nothing stays behind. The process outside holds the other end of the lifeline (a
socket): a byte on it is a signal number to pass on, its end means that the outside is gone, killed or not. A
parent-death signal could not do that, since ``unshare`` changes credentials and the kernel then clears it.

Signals of the terminal reach the child directly (the kernel sends them to the whole foreground group), so only those
that somebody sent are passed on. Imports the standard library only: it stands before every run.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
import threading
from pathlib import Path
from typing import Final, NoReturn

MARKER: Final = Path("/run/harness-namespace")
"""Exists inside of a mesh's mount namespace and nowhere else."""

HOSTS: Final = Path("/run/hosts")
"""What /etc/hosts is inside; meshes add their names to it."""

_GRACE_SECONDS: Final = 5
"""What the child has for its clean-up once the outside is gone."""

_WAITED: Final = frozenset({signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM})
_SI_KERNEL: Final = 0x80

_MS_BIND: Final = 4096
_MS_NOSUID_NODEV: Final = 2 | 4
_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 1


def main(arguments: list[str]) -> NoReturn:
    """Prepare the namespaces, run the command, end with its exit code."""
    lifeline = socket.socket(fileno=int(arguments[0]))
    command = arguments[2:]
    signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED)
    _prepare()
    lifeline.send(b"+")  # the outside learns this process's id from the credentials that come with it,
    if not lifeline.recv(1):  # and answers once others can find the mesh
        os._exit(1)
    child = _fork(command, lifeline)
    threading.Thread(target=_relay, args=(lifeline, child), daemon=True).start()
    os._exit(_rule(child))


def _prepare() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    _mount(libc, b"tmpfs", b"/run", b"tmpfs", _MS_NOSUID_NODEV)
    MARKER.touch()
    HOSTS.write_bytes(
        Path("/etc/hosts").read_bytes() if Path("/etc/hosts").exists() else b"127.0.0.1 localhost\n"
    )
    if Path("/etc/hosts").exists():
        _mount(libc, bytes(HOSTS), b"/etc/hosts", b"none", _MS_BIND)
    _loopback_up()
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def _mount(libc: ctypes.CDLL, source: bytes, target: bytes, kind: bytes, flags: int) -> None:
    if libc.mount(source, target, kind, flags, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {target.decode()}: {os.strerror(number)}")


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack_from("16sh", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def _fork(command: list[str], lifeline: socket.socket) -> int:
    child = os.fork()
    if child == 0:
        try:
            lifeline.close()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _WAITED)
            os.execvp(command[0], command)
        except OSError as error:
            print(f"error: {command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201 - there is no other voice yet
        os._exit(127)
    return child


def _relay(lifeline: socket.socket, child: int) -> None:
    while byte := lifeline.recv(1):
        os.kill(child, byte[0])
    os.kill(child, signal.SIGTERM)
    signal.alarm(_GRACE_SECONDS)


def _rule(child: int) -> int:
    while True:
        info = signal.sigwaitinfo(_WAITED)
        if info.si_signo == signal.SIGCHLD:
            code = _reap(child)
            if code is not None:
                return code
        elif info.si_signo == signal.SIGALRM:
            return 128 + signal.SIGTERM
        elif info.si_code != _SI_KERNEL:
            os.kill(child, info.si_signo)


def _reap(child: int) -> int | None:
    result = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return result
        if pid == 0:
            return result
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            result = code if code >= 0 else 128 - code


if __name__ == "__main__":
    main(sys.argv[1:])
