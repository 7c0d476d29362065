"""Several local meshes at the same time: each a process with namespaces of its own, so that nothing of them meets.

Each has its own API server, istiod, registries, wasmer and controller, as clusters have that are installed one by one.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from harness import events
from harness.mesh import (
    Broken,
    FaultWish,
    HelmWish,
    Load,
    LoadWish,
    Mesh,
    ObjectRef,
    PushWish,
    RequestWish,
    RestartWish,
    ScaleWish,
)
from harness.meshes.local import namespaces, serving
from harness.observation import Fault, LoadResult, Pushed, Release, Response, Rollout, Scaled

_END_SECONDS: Final = 20.0


@contextlib.contextmanager
def clusters(count: int, emit: events.Emit) -> Iterator[Sequence[Mesh]]:
    """So many meshes, all of them up. Raises Broken where one does not come up."""
    meshes = [Remote(number, emit) for number in range(1, count + 1)]
    try:
        for one in meshes:
            one.await_up()
        yield meshes
    finally:
        for one in meshes:
            one.close()


class Remote:
    """``harness.mesh.Mesh`` of another process. It comes up from the moment it is made."""

    def __init__(self, number: int, emit: events.Emit) -> None:
        self.name = f"local-{number}"
        self._emit = emit
        self._lock = threading.Lock()
        self._capabilities: frozenset[str] = frozenset()
        self._bindings: Mapping[str, str] = {}
        ours, theirs = socket.socketpair()
        argv = [sys.executable, "-m", "harness.meshes.local.serving", str(theirs.fileno())]
        with theirs:
            environment = os.environ | {namespaces.DIE_WITH_PARENT: "1"}
            self._process = subprocess.Popen(
                argv, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=environment
            )
        self._connection = Connection(ours.detach())

    def await_up(self) -> None:
        """Wait for it, and tell what it tells of its bring-up. Raises Broken."""
        self._capabilities, self._bindings = self._received(serving.UP)

    def close(self) -> None:
        """Let it go: it takes everything of it down."""
        self._connection.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()

    @property
    def capabilities(self) -> frozenset[str]:
        """See Mesh."""
        return self._capabilities

    @property
    def bindings(self) -> Mapping[str, str]:
        """See Mesh."""
        return self._bindings

    def push(self, wish: PushWish) -> Pushed:
        """See Mesh."""
        found: Pushed = self._ask("push", wish)
        return found

    def apply(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """See Mesh."""
        found: Mapping[str, Any] = self._ask("apply", manifest)
        return found

    def delete(self, target: ObjectRef) -> bool:
        """See Mesh."""
        return bool(self._ask("delete", target))

    def get(self, target: ObjectRef) -> Mapping[str, Any] | None:
        """See Mesh."""
        found: Mapping[str, Any] | None = self._ask("get", target)
        return found

    def request(self, wish: RequestWish) -> Response:
        """See Mesh."""
        found: Response = self._ask("request", wish)
        return found

    def load(self, wish: LoadWish) -> Load:
        """See Mesh."""
        return _Load(self, self._ask(serving.LOAD, wish, kind=serving.LOAD))

    def restart(self, wish: RestartWish) -> Rollout:
        """See Mesh."""
        found: Rollout = self._ask("restart", wish)
        return found

    def scale(self, wish: ScaleWish) -> Scaled:
        """See Mesh."""
        found: Scaled = self._ask("scale", wish)
        return found

    def helm(self, wish: HelmWish) -> Release:
        """See Mesh."""
        found: Release = self._ask("helm", wish)
        return found

    def fault(self, wish: FaultWish) -> Fault:
        """See Mesh."""
        found: Fault = self._ask("fault", wish)
        return found

    def collect(self, folder: Path) -> None:
        """See Mesh."""
        self._ask("collect", folder.absolute())

    def stop(self, number: int) -> LoadResult:
        """Stop a load of its."""
        found: LoadResult = self._ask(serving.STOP, number)
        return found

    def _ask(self, name: str, *arguments: Any, kind: str = serving.RESULT) -> Any:
        with self._lock:
            try:
                self._connection.send((name, arguments))
            except OSError as error:
                raise Broken(f"{self.name}: must be there, {error}") from error
            return self._received(kind)

    def _received(self, wanted: str) -> Any:
        while True:
            try:
                kind, value = self._connection.recv()
            except (EOFError, OSError) as error:
                raise Broken(f"{self.name}: must be there, its process has ended") from error
            if kind == wanted:
                return value
            if kind in serving.RAISED:
                raise serving.RAISED[kind](value)
            if kind == serving.EVENT:
                self._emit(_named(value, self.name))


@dataclass(frozen=True, slots=True)
class _Load:
    remote: Remote
    number: int

    def stop(self) -> LoadResult:
        """See Load."""
        return self.remote.stop(self.number)


def _named(event: events.Event, name: str) -> events.Event:
    """A phase with the name of whose it is."""
    match event:
        case events.PhaseStarted(phase, detail, expected):
            return events.PhaseStarted(f"{name} {phase}", detail, expected)
        case events.PhaseEnded(phase, seconds, detail, since):
            return events.PhaseEnded(f"{name} {phase}", seconds, detail, since)
    return event
