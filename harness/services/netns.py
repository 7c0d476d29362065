"""Network namespaces: made, named under /run/netns, and entered by a thread of their own.

A network namespace belongs to a thread (namespaces(7)), and a socket stays in the one it was made in: so each
namespace has one thread that has entered it for good. It makes the sockets; everybody may use them.
The bind mount under /run/netns is where ``ip netns exec`` and ``nsenter --net=`` look.
"""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

FOLDER: Final = Path("/run/netns")

_CLONE_NEWNET: Final = 0x40000000
_MS_BIND: Final = 4096
_MNT_DETACH: Final = 2

_libc: Final = ctypes.CDLL(None, use_errno=True)

P = ParamSpec("P")
T = TypeVar("T")


class Namespace:
    """A network namespace and the thread that lives in it; no thread where it is this process's own."""

    def __init__(self, path: Path, thread: ThreadPoolExecutor | None) -> None:
        self.path = path
        self._thread = thread

    @property
    def name(self) -> str:
        """Its name, as ``ip netns`` shows it."""
        return self.path.name

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a short function inside the namespace and return its value."""
        if self._thread is None:
            return function(*args, **kwargs)
        return self._thread.submit(function, *args, **kwargs).result()

    def connect(self, address: tuple[str, int], timeout: float) -> socket.socket:
        """A TCP connection from this namespace; ``timeout`` in seconds holds for the socket's whole life.

        Raises:
            OSError: as socket.connect does.
        """
        connection = self.call(socket.socket, socket.AF_INET, socket.SOCK_STREAM)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(timeout)
            connection.connect(address)
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Let it go: it ends with the last process and socket in it, and its links with it.

        Raises:
            OSError: the kernel refuses.
        """
        if self._thread:
            self._thread.shutdown()
            _must(_libc.umount2(bytes(self.path), _MNT_DETACH), f"umount {self.path}")
            self.path.unlink()

    def accepts(self, address: tuple[str, int]) -> bool:
        """Whether somebody accepts TCP connections there, seen from this namespace."""
        try:
            self.connect(address, timeout=1.0).close()
        except OSError:
            return False
        return True


def create(name: str) -> Namespace:
    """Make a new, empty network namespace.

    Raises:
        OSError: the kernel refuses.
    """
    path = FOLDER / name
    FOLDER.mkdir(exist_ok=True)
    path.touch()
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"netns-{name}")
    thread.submit(_become, path).result()
    return Namespace(path, thread)


def own() -> Namespace:
    """The network namespace of the calling process, in the same clothes."""
    return Namespace(Path("/proc/self/ns/net"), None)


def _become(path: Path) -> None:
    _must(_libc.unshare(_CLONE_NEWNET), "unshare")
    source = b"/proc/thread-self/ns/net"
    _must(_libc.mount(source, bytes(path), b"none", _MS_BIND, None), f"mount {path}")


def _must(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
