"""The user's cache folder: where it is, locks that die with their owner, writes that are whole or absent.

It knows nothing of programs. A lock is a ``flock`` on a file beside the thing, so the kernel frees it at
its owner's death; lock files stay, since removing one is a race. Whoever holds a lock may take any
temporary file beside the thing for the leavings of a dead run.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from harness.toolchain.lacking import Lacking

LOCK_SECONDS: Final = 3600.0  # a cold build of everything takes a tenth of this
_POLL_SECONDS: Final = 0.05


def root() -> Path:
    """``$XDG_CACHE_HOME`` (or ``~/.cache``)/autowasm-harness; it need not exist yet.

    A relative XDG_CACHE_HOME is ignored, as the XDG base directory specification asks.
    """
    configured = os.environ.get("XDG_CACHE_HOME", "")
    if configured.startswith("/"):
        return Path(configured) / "autowasm-harness"
    try:
        return Path.home() / ".cache" / "autowasm-harness"
    except RuntimeError as error:
        raise Lacking(
            "cache: a home folder is needed: this user has none", remedy="set XDG_CACHE_HOME to a folder"
        ) from error


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Turn an OSError from writing the cache into Lacking that names the file."""
    try:
        yield
    except OSError as error:
        raise Lacking(
            f"cache: {error.filename or root()} cannot be written: {error.strerror or error}",
            remedy="free some space, mend the rights, or set XDG_CACHE_HOME to another folder",
        ) from error


def folder(path: Path) -> Path:
    """Make a folder of the cache, readable by this user only, and return it. Raises Lacking."""
    with writing():
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


@contextlib.contextmanager
def locked(
    path: Path, *, what: str = "", waiting: Callable[[str], None] | None = None, timeout: float = LOCK_SECONDS
) -> Iterator[None]:
    """Hold the lock of ``path`` (a file or folder that need not exist).

    ``what`` is written into the lock for those who wait; ``waiting`` is told once whom and what this one
    waits for. Raises Lacking where the lock is not free within ``timeout`` seconds.
    """
    folder(path.parent)
    name = path.with_name(path.name + ".lock")
    with writing():
        handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(handle, name, waiting, timeout)
        os.truncate(handle, 0)
        os.pwrite(handle, json.dumps({"pid": os.getpid(), "what": what}).encode(), 0)
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, name: Path, waiting: Callable[[str], None] | None, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    told = False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting and not told:
                waiting(_owner(handle))
                told = True
            if time.monotonic() > deadline:
                raise Lacking(
                    f"cache: {name} was not free within {timeout:.0f} s: held by {_owner(handle)}",
                    remedy="see what that process does, or end it",
                ) from None
            time.sleep(_POLL_SECONDS)
        else:
            return


def _owner(handle: int) -> str:
    try:
        found = json.loads(os.pread(handle, 1024, 0))
        return f"process {found['pid']}" + (f" ({found['what']})" if found["what"] else "")
    except (ValueError, KeyError, TypeError):
        return "another process"  # it has the lock, and has not yet written who it is


@contextlib.contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """A folder beside ``path`` to make it in, which goes at the end. Only for who holds the lock of ``path``.

    What dead runs left is removed first.
    """
    folder(path.parent)
    for stale in path.parent.glob(f".{path.name}.*.tmp"):
        shutil.rmtree(stale, ignore_errors=True)
    made = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    folder(made)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def write(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file so that it is whole or absent, after a crash too. Raises Lacking."""
    folder(path.parent)
    with writing():
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            temporary.chmod(mode)
            publish(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def publish(temporary: Path, path: Path) -> None:
    """Give a finished temporary file its name, once its bytes are on the disk."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, empty where the file is absent or damaged: what the cache remembers is never needed."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
