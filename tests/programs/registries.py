"""Every kind of registry that the client is held against: ONE TABLE, a row a program and how it asks for passwords.

distribution is Docker's and the CNCF's, by far the most used: open, with passwords, with tokens. crane's, of
go-containerregistry, begins uploads anew, and its tags outlive their image. ociserver is CUE Labs', strict to the
OCI's specification; when ``terse`` it says no more than it must.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from harness.toolchain import binaries
from tests.programs import registry_server, token_server
from tests.programs.registry_server import Server

USER, PASSWORD = "bob", "secret"


@dataclass(frozen=True)
class Row:
    """A kind of registry: how it is run, and whether it asks for bob's password.

    ``resumes``: an upload goes on after a cut. ``forgets``: the tags of an image go with it.
    """

    run: Callable[[Path], AbstractContextManager[Server]]
    asks: bool = False
    resumes: bool = True
    forgets: bool = True


def _password(folder: Path) -> AbstractContextManager[Server]:
    return registry_server.running(folder, USER, PASSWORD)


@contextlib.contextmanager
def _tokens(folder: Path) -> Iterator[Server]:
    rights = {USER: _Everything()}
    with (
        token_server.serving(folder, {USER: PASSWORD}, rights) as tokens,
        registry_server.running(folder, auth=tokens.auth()) as server,
    ):
        yield server


class _Everything(dict[str, str]):
    """A right to all that is asked for, in every repository."""

    def get(self, _name: str, _otherwise: str | None = None) -> str:  # type: ignore[override]
        return "*"


def _crane(folder: Path) -> AbstractContextManager[Server]:
    port = registry_server.free_port()
    program = binaries.ensure(["crane"], lambda _event: None).path("crane")
    command = [program, "registry", "serve", "--address", f"127.0.0.1:{port}"]
    return registry_server.serving(command, folder / "registry.log", port)


def _ociserver(*more: str) -> Callable[[Path], AbstractContextManager[Server]]:
    def run(folder: Path) -> AbstractContextManager[Server]:
        port = registry_server.free_port()
        program = binaries.ensure(["ociserver"], lambda _event: None).path("ociserver")
        command = [program, f"127.0.0.1:{port}", *more]
        return registry_server.serving(command, folder / "registry.log", port)

    return run


TABLE = {
    "distribution": Row(registry_server.running),
    "distribution, htpasswd": Row(_password, asks=True),
    "distribution, token": Row(_tokens, asks=True),
    "crane": Row(_crane, resumes=False, forgets=False),
    "ociserver": Row(_ociserver()),
    "ociserver, terse": Row(_ociserver("terse")),
}
