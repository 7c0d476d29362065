"""Which engine is used: the one that the user has named, or none."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

import pytest

from harness import events
from harness.services import engine as engines
from harness.toolchain.lacking import Lacking
from tests.unit.services.engine import talking

pytest.importorskip("docker", reason="a package of the extra kind")
from harness.services.engine import asking


@pytest.fixture(autouse=True)
def _nothing_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration of the docker command's, an empty cache folder."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A docker command on PATH, and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "docker").write_text("#!/bin/sh\n")
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.usefixtures("command")
def test_the_named_engine_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DOCKER_HOST names it; it is the user's, programs are pointed to it, and giving it back changes nothing."""
    told: list[events.Event] = []
    with talking.engine(tmp_path / "docker.sock") as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        with engines.using(told.append, install=False) as found:
            assert (found.host, found.ours) == (host, False)
            assert found.environment() == {"DOCKER_HOST": host}
            assert found.client.ping()
        assert asking.ask(host) is None
    assert told == []


def test_a_named_engine_that_is_silent_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run does not land on another engine than the one that was meant; what was found is said."""
    host = f"unix://{tmp_path / 'none.sock'}"
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(Lacking, match="the one that DOCKER_HOST names must answer") as caught:
        engines.find(print, install=False)
    assert f"{host}: no such socket" in caught.value.message
    assert engines.answering() is None


def test_without_the_docker_command_there_is_no_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine answers, and the program that kind calls is missing: that is said, with the line to type."""
    with talking.engine(tmp_path / "docker.sock") as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(Lacking, match="the program docker must be on PATH") as caught:
            engines.find(print, install=False)
        words, lacking = engines.refusal()
    assert caught.value.remedy
    assert words == f"answers at {host}"
    assert lacking
    assert lacking.message == caught.value.message


def test_silence_is_told_apart(tmp_path: Path) -> None:
    """No socket, a socket that nobody listens on, somebody who speaks something else: each in its own words."""
    assert str(asking.ask(f"unix://{tmp_path / 'no'}")) == f"unix://{tmp_path / 'no'}: no such socket"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead"))
    silent = asking.ask(f"unix://{tmp_path / 'dead'}")
    assert silent
    assert (silent.why, silent.there) == ("nobody listens (Connection refused)", False)


def test_somebody_else_behind_the_socket(tmp_path: Path) -> None:
    """What hangs up at once is no engine, and is said to be there."""
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "other"))
        other.listen()
        thread = threading.Thread(target=_hang_up, args=(other,))
        thread.start()
        silent = asking.ask(f"unix://{tmp_path / 'other'}")
        other.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert silent
    assert silent.there


def _hang_up(server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            server.accept()[0].close()


def test_places_in_the_order_of_the_docker_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment, then the current context, then the usual sockets."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    usual = [place.host for place in asking.places()]
    assert usual == ["unix:///var/run/docker.sock", "unix:///run/user/7/docker.sock"]
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2375")
    assert asking.places() == [asking.Place("tcp://10.0.0.1:2375", "DOCKER_HOST")]
