"""wasmc in front of a person: prompts on a terminal, and Ctrl-C."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pty
import random
import select
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from autowasm.oci import artifact
from harness.samples import Samples
from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer
from tests.unit.registry import stored
from tests.unit.wasmc.test_cli import ROOT
from tests.unit.wasmc.test_keyring import HELPER

PATIENCE = 30.0
MODULE = Samples(ROOT / "wasm_samples").module("good/hello-v1")
MADE = artifact.image(MODULE)


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": str(folder / "bin"),
        "PYTHONPATH": str(ROOT),
        "DOCKER_CONFIG": str(folder / "docker"),
        "TERM": "xterm",
    }


class Terminal:
    """The program on a terminal of its own, read until it says something."""

    def __init__(self, folder: Path, *args: str) -> None:
        self._mine, theirs = pty.openpty()
        # The first terminal that the leader of a session opens is the one from which its signals come.
        opening = 'terminal=$0; exec "$@" <"$terminal" >"$terminal" 2>&1'
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", opening, os.ttyname(theirs), sys.executable, "-m", "autowasm.wasmc", *args],
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._theirs: int | None = theirs
        self.shown = ""

    def until(self, text: str) -> None:
        """Read until it is shown; what comes after the end of the program never is."""
        while text not in self.shown:
            self._read()
        if self._theirs is not None:  # held until the program has it, for a terminal that nobody has is gone
            os.close(self._theirs)
            self._theirs = None

    def answer(self, text: str) -> None:
        """Type a line."""
        os.write(self._mine, f"{text}\n".encode())

    def interrupt(self) -> None:
        """Type Ctrl-C until it is heard: Python's line editor loses one that comes right before it waits."""
        while "interrupted" not in self.shown:
            os.write(self._mine, b"\x03")
            while select.select([self._mine], [], [], 0.3)[0]:
                try:
                    self._read()
                except OSError:
                    return

    def end(self) -> int:
        """Read to the end; the exit code."""
        with contextlib.suppress(OSError):  # as Linux ends a terminal
            while True:
                self._read()
        os.close(self._mine)
        return self.process.wait(PATIENCE)

    def _read(self) -> None:
        self.shown += os.read(self._mine, 4096).decode().replace("\r\n", "\n")


@pytest.fixture
def folder(tmp_path):
    """A folder with a module, docker's configuration and a helper called `file`."""
    for name in ("bin", "docker"):
        (tmp_path / name).mkdir()
    (tmp_path / "m.wasm").write_bytes(MODULE)
    helper = tmp_path / "bin" / "docker-credential-file"
    helper.write_text(textwrap.dedent(HELPER).format(python=sys.executable))
    helper.chmod(0o755)
    return tmp_path


@pytest.fixture
def registry():
    """A registry that takes bob's password."""
    right = f"Basic {base64.b64encode(b'bob:pw').decode()}"
    challenge = Answer(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    with tiny_server.serving() as server:
        server.routes["GET", "/v2/"] = lambda seen: (
            Answer(200) if seen.headers.get("authorization") == right else challenge
        )
        yield server


def _login(terminal: Terminal, password: str) -> int:
    terminal.until("Username: ")
    terminal.answer("bob")
    terminal.until("Password: ")
    terminal.answer(password)
    return terminal.end()


def test_login(folder, registry):
    """On a terminal a login asks for name and password, shows the name alone, and keeps both."""
    terminal = Terminal(folder, "login", registry.host)
    assert _login(terminal, "pw") == 0, terminal.shown
    assert f"Username: bob\nPassword: \nLogged in to {registry.host} as bob\n" in terminal.shown
    config = json.loads((folder / "docker" / "config.json").read_text())
    assert config["auths"][registry.host]["auth"] == base64.b64encode(b"bob:pw").decode()


def test_login_as(folder, registry):
    """A name that is given is not asked for, as with docker login -u."""
    terminal = Terminal(folder, "login", registry.host, "-u", "bob")
    terminal.until("Password: ")
    terminal.answer("pw")
    assert terminal.end() == 0
    assert "Username" not in terminal.shown


def test_wrong_password(folder, registry):
    """A password that the registry refuses is told as that, with exit code 1, and is neither shown nor kept."""
    terminal = Terminal(folder, "login", registry.host)
    assert _login(terminal, "hunter2") == 1
    assert "error: registry: unauthorized: " in terminal.shown
    assert "as user 'bob'" in terminal.shown
    assert "hunter2" not in terminal.shown
    assert list((folder / "docker").iterdir()) == []


def test_login_by_a_helper(folder, registry):
    """Where docker's configuration names a helper, the password goes there and not into the file."""
    (folder / "docker" / "config.json").write_text('{"credsStore": "file"}')
    terminal = Terminal(folder, "login", registry.host)
    assert _login(terminal, "pw") == 0, terminal.shown
    assert "Stored: credential helper file\n" in terminal.shown
    kept = json.loads((folder / "bin" / "secrets.json").read_text())
    assert kept == {registry.host: {"ServerURL": registry.host, "Username": "bob", "Secret": "pw"}}
    assert json.loads((folder / "docker" / "config.json").read_text()) == {"credsStore": "file"}


def test_login_is_left(folder, registry):
    """Ctrl-C at a prompt ends the program with 130, nothing asked of the registry and nothing kept."""
    terminal = Terminal(folder, "login", registry.host)
    terminal.until("Username: ")
    terminal.interrupt()
    assert terminal.end() == 130
    assert registry.seen == []
    assert list((folder / "docker").iterdir()) == []
    assert "Traceback" not in terminal.shown


NOISE = b"\0asm\1\0\0\0" + random.Random(3).randbytes(600_000)


def test_bar(folder):
    """A pull that takes its time shows how far it is, and takes the bar away at its end."""
    made = artifact.cncf(NOISE)
    layer = next(blob for blob in made.blobs if blob.data == NOISE)
    go = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield f"HTTP/1.1 200 OK\r\nContent-Length: {layer.size}\r\n\r\n".encode() + NOISE[:300_000]
        for at in range(300_000, 500_000, 1000):
            yield NOISE[at : at + 1000]
            if go.wait(0.05):
                yield NOISE[at + 1000 :]
                return

    with tiny_server.serving() as server:
        stored.store(server, made)
        server.routes["GET", f"{stored.BASE}/blobs/{layer.digest}"] = Answer(stream=slowly)
        terminal = Terminal(folder, "pull", f"{server.host}/team/app:v1")
        terminal.until(layer.digest.short)
        terminal.until("KiB")
        go.set()
        assert terminal.end() == 0, terminal.shown
    assert (folder / "filter.wasm").read_bytes() == NOISE
    assert terminal.shown.rstrip().endswith(f"Location: {folder}/filter.wasm")


def test_bar_of_a_push(folder):
    """A push to a registry that takes its time shows how far it is, and its result is the same two lines."""
    module = MODULE + b"\0\x80\x80\x80\x01\x01x" + random.Random(5).randbytes((1 << 21) - 2)
    (folder / "large.wasm").write_bytes(module)
    made = artifact.image(module)

    def begun(_seen: tiny_server.Seen) -> Answer:
        threading.Event().wait(0.6)  # longer than a person waits for without wondering
        return Answer(202, headers={"Location": "/up"})

    with tiny_server.serving() as server:
        server.routes["POST", f"{stored.BASE}/blobs/uploads/"] = begun
        server.routes["PUT", "/up"] = Answer(201)
        answer = Answer(201, headers={"Docker-Content-Digest": str(made.digest)})
        server.routes["PUT", f"{stored.BASE}/manifests/v1"] = answer
        terminal = Terminal(folder, "push", f"{server.host}/team/app:v1", "-f", "large.wasm")
        terminal.until(made.blobs[1].digest.short)
        assert terminal.end() == 0, terminal.shown
        assert "MiB" in terminal.shown
        said = f"Pushed {server.host}/team/app:v1\nDigest: {made.digest}"
        assert terminal.shown.rstrip().endswith(said)


@contextlib.contextmanager
def _stuck() -> Iterator[tuple[tiny_server.Server, threading.Event, threading.Event]]:
    """A registry, what says that a client waits for it, and what lets it go on."""
    waits, go = threading.Event(), threading.Event()
    with tiny_server.serving() as server:
        try:
            yield server, waits, go
        finally:
            go.set()


def _interrupted(folder: Path, waits: threading.Event, *args: str) -> subprocess.CompletedProcess[str]:
    """Run until the registry has the client wait, then as after Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, "-m", "autowasm.wasmc", *args],
        cwd=folder,
        env=_environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert waits.wait(PATIENCE)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess(args, process.returncode, out, err)


def test_pull_is_left(folder):
    """Ctrl-C during a pull ends it with 130; the file of before is as it was, and nothing lies beside it."""
    (folder / "filter.wasm").write_bytes(b"old")
    before = sorted(folder.iterdir())
    with _stuck() as (server, waits, go):
        stored.store(server, MADE)
        layer = MADE.blobs[1]

        def half() -> Iterator[bytes]:
            yield f"HTTP/1.1 200 OK\r\nContent-Length: {layer.size}\r\n\r\n".encode() + layer.data[:50]
            waits.set()
            go.wait(PATIENCE)

        server.routes["GET", f"{stored.BASE}/blobs/{layer.digest}"] = Answer(stream=half)
        ran = _interrupted(folder, waits, "pull", f"{server.host}/team/app:v1")
    assert (ran.returncode, ran.stdout, ran.stderr.strip()) == (130, "", "interrupted")
    assert sorted(folder.iterdir()) == before
    assert (folder / "filter.wasm").read_bytes() == b"old"


def test_push_is_left(folder):
    """Ctrl-C during a push ends it with 130, and no manifest names what was sent so far."""
    with _stuck() as (server, waits, go):

        def upload(_seen: tiny_server.Seen) -> Answer:
            waits.set()
            go.wait(PATIENCE)
            return Answer(202, headers={"Location": "/up"})

        server.routes["POST", f"{stored.BASE}/blobs/uploads/"] = upload
        server.routes["PUT", "/up"] = Answer(201)
        ran = _interrupted(folder, waits, "push", f"{server.host}/team/app:v1", "-f", "m.wasm")
        assert (ran.returncode, ran.stdout, ran.stderr.strip()) == (130, "", "interrupted")
        assert [seen for seen in server.seen if seen.method == "PUT"] == []
