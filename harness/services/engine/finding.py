"""Finds an engine: one that answers, else our own; and gives our own back.

Who uses our own engine holds a shared lock, which the kernel frees at the user's death. The last one ends the engine,
unless something is kept on it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from typing import Final

from harness import events
from harness.services.engine import asking, daemon, own, packages
from harness.services.engine.asking import Silence
from harness.services.engine.engine import Engine, connect
from harness.toolchain import cache
from harness.toolchain.lacking import Lacking

_LEASE_SECONDS: Final = 180.0  # whoever ends the engine holds it this long at most
_POLL_SECONDS: Final = 0.1
_leases: Final[list[int]] = []


def find(emit: events.Emit, *, install: bool) -> Engine:
    """An engine that answers: the user's, else our own, which is started.

    ``install`` allows that packages are installed, as root, where none is here.

    Raises:
        Lacking: there is none and none can be started; the message has the exact line to type.
    """
    silent, found = _answering()
    if install and packages.possible():
        missing = [
            *(packages.wanted() if found is None or not shutil.which("docker") else []),
            *packages.beside(),
        ]
        if missing:
            packages.install(missing, emit)
            silent, found = (
                (silent, found) if found else _answering()
            )  # where services start at once, it answers now
    found = found or _own(emit, silent)
    if not shutil.which("docker"):
        release(found, emit)
        raise _no_command()
    return found


def _no_command() -> Lacking:
    return Lacking(
        "container engine: the program docker must be on PATH: kind calls it",
        remedy=packages.line(packages.wanted()),
    )


@contextlib.contextmanager
def using(emit: events.Emit, *, install: bool) -> Iterator[Engine]:
    """``find``, and ``release`` at the end. Raises Lacking as ``find`` does."""
    found = find(emit, install=install)
    try:
        yield found
    finally:
        release(found, emit)


def refusal() -> tuple[str, Lacking | None]:
    """Without starting anything: which engine a run would use, in words, and what is lacking for it."""
    silent, found = _answering()
    command = None if shutil.which("docker") or not (found or shutil.which("dockerd")) else _no_command()
    if found:
        found.client.close()
        return f"answers at {found.host}", command
    return "none answers; one of our own will be started, and ended after the run", command or _unable(silent)


def answering() -> Engine | None:
    """The engine of the user's that answers, None where none does. Nothing is started."""
    try:
        return _answering()[1]
    except Lacking:
        return None


def _answering() -> tuple[list[Silence], Engine | None]:
    """The first engine of the user's that answers, and those before it that did not.

    Raises Lacking where the user has named one, and it does not answer.
    """
    silent: list[Silence] = []
    for place in asking.places():
        said = asking.ask(place.host)
        if said is None:
            if ours := place.host == own.place().host:
                lease()
            return silent, connect(place.host, ours=ours)
        if place.named:
            raise Lacking(
                f"container engine: the one that {place.named} names must answer: {said}",
                remedy=said.remedy or "start it, or name another",
            )
        silent.append(said)
    return silent, None


def _unable(silent: list[Silence]) -> Lacking | None:
    """Why no engine of our own can be started; None where it can."""
    told = "; ".join(map(str, silent))
    for one in silent:
        if one.there:
            return Lacking(
                f"container engine: must answer: {told}", remedy=one.remedy or "see why, or end it"
            )
    if not shutil.which("dockerd"):
        return Lacking(f"container engine: one is needed: {told}", remedy=packages.line(packages.wanted()))
    if os.geteuid() != 0:
        return Lacking(
            f"container engine: must answer, or be started by root: {told}",
            remedy="start it (sudo systemctl start docker), or run as root",
        )
    return daemon.refusal(own.place())


def _own(emit: events.Emit, silent: list[Silence]) -> Engine:
    lacking = _unable(silent)
    if lacking:
        raise lacking
    where = own.place()
    lease()
    began = time.monotonic()
    emit(events.PhaseStarted("container engine", "our own dockerd"))
    with cache.locked(where.folder / "start", what="starts a container engine"):
        daemon.start(where)
    emit(events.PhaseEnded("container engine", time.monotonic() - began, "our own dockerd"))
    return connect(where.host, ours=True)


def revive(emit: events.Emit) -> Engine:
    """Our own engine, started where it does not run: to remove what is on it. Raises Lacking."""
    return _own(emit, [])


def lease() -> None:
    """Be a user of our own engine until ``release`` or the end of this process."""
    where = own.place()
    cache.folder(where.folder)
    handle = os.open(where.users, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _LEASE_SECONDS
    while not _try(handle, fcntl.LOCK_SH):
        if time.monotonic() > deadline:
            os.close(handle)
            raise Lacking(
                f"container engine: must end within {_LEASE_SECONDS:.0f} s: it is still being ended"
            )
        time.sleep(_POLL_SECONDS)
    _leases.append(handle)


def release(engine: Engine, emit: events.Emit) -> None:
    """Give an engine back. Our own ends now, unless another command uses it or a container is kept on it."""
    if not engine.ours:
        engine.client.close()
        return
    kept = engine.client.containers.list(all=True, ignore_removed=True)
    engine.client.close()
    _drop_leases()
    if not kept:
        end_own(emit)


def end_own(emit: events.Emit) -> bool:
    """End our own engine where no command uses it, and put back what it changed. False where one does."""
    with _alone() as alone:
        if not alone:
            return False
        began = time.monotonic()
        emit(events.PhaseStarted("container engine", "ends"))
        done = daemon.stop(own.place())
        emit(events.PhaseEnded("container engine", time.monotonic() - began, ", ".join(done)))
        return True


@contextlib.contextmanager
def _alone() -> Iterator[bool]:
    """Whether nobody uses our own engine; nobody can begin to while this holds."""
    where = own.place()
    cache.folder(where.folder)
    handle = os.open(where.users, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _try(handle, fcntl.LOCK_EX)
    finally:
        os.close(handle)


def _drop_leases() -> None:
    while _leases:
        os.close(_leases.pop())


def _try(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
