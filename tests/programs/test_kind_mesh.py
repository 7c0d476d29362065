"""The kind mesh as a whole: up, kept, used again, taken down, killed; and nothing of it left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from harness.toolchain.lacking import Lacking

pytestmark = [pytest.mark.programs, pytest.mark.timeout(600)]

docker = pytest.importorskip("docker", reason="a package of the extra kind")

_INSIDE: Final = Path(__file__).with_name("inside_kind_mesh.py")
_ROOT: Final = Path(__file__).parents[2]
_NAME: Final = f"test-{os.getpid()}"


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """The engine's client, where an engine and a cluster's images are here: to make them takes minutes."""
    from harness.images import making, store
    from harness.services import engine as engines

    engine = engines.answering()
    if engine is None:
        pytest.skip("no container engine answers")
    try:
        names = making.names()
        quick = {names.system.autowasm, names.system.apps}  # of this checkout: some seconds
        missing = store.Store(engine).missing([name for name in names.wanted() if name not in quick])
    except Lacking as lacking:
        pytest.skip(str(lacking))
    if missing:
        engine.client.close()
        pytest.skip(f"images of a cluster are not here ({missing[0]}); `harness images build` makes them")
    yield engine.client
    subprocess.run(
        _harness("down", "--name", _NAME), cwd=_ROOT, capture_output=True, check=False, timeout=120
    )
    engine.client.close()


def _harness(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "harness", *arguments]


def _ours(client: Any) -> list[str]:
    """Containers of the mesh of this test."""
    return [
        one.name
        for one in client.containers.list(all=True, ignore_removed=True)
        if one.name.startswith(f"{_NAME}-")
    ]


@contextlib.contextmanager
def _inside(what: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, str(_INSIDE), _NAME, what],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()  # one that has ended is not signalled


@pytest.fixture(scope="module")
def seen(client: Any) -> list[dict[str, Any]]:
    """What was seen of a mesh that was made to be kept, and of the same one when it was used again."""
    assert _ours(client) == []
    with _inside("twice") as process:
        out, err = process.communicate(timeout=400)
    assert process.returncode == 0, err
    found: list[dict[str, Any]] = json.loads(out)
    return found


def test_a_mesh_comes_up_with_everything(seen: list[dict[str, Any]]) -> None:
    """A request goes from pod to pod; every part was timed; one registry wants its password, the other one none."""
    first = seen[0]
    assert first["mesh"] == "kind"
    assert first["status"] == 200
    assert (first["open"], first["closed"]) == (200, [401, 200, 401])
    parts = {
        "registries",
        "cluster",
        "images",
        "istio-base",
        "istiod",
        "wasmer",
        "applications",
        "first request",
    }
    assert parts <= {name for name, _ in first["phases"]}


def test_a_kept_mesh_is_used_again(seen: list[dict[str, Any]]) -> None:
    """The same node, the same registries and password; no cluster is made and no image loaded a second time."""
    first, second = seen
    assert second["status"] == 200
    assert (second["node"], second["bindings"]) == (first["node"], first["bindings"])
    assert "cluster" not in {name for name, _ in second["phases"]}


def test_down_removes_a_kept_mesh(client: Any, seen: list[dict[str, Any]]) -> None:
    """A mesh that was kept stays after a run that did not ask for it, until it is taken down: volumes included."""
    assert sorted(_ours(client)) == [f"{_NAME}-control-plane", f"{_NAME}-private", f"{_NAME}-registry"]
    done = subprocess.run(
        _harness("down", "--name", _NAME), cwd=_ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert f"removed cluster {_NAME}, its container and its volume\n" in done.stdout
    assert f"removed container {_NAME}-registry\n" in done.stdout
    assert done.stdout.endswith(f"removed mesh {_NAME}\n")
    assert _ours(client) == []
    volumes = {volume.name for volume in client.volumes.list()}
    assert not volumes & set(seen[0]["node"]["volumes"])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_ended_leaves_nothing(client: Any, number: signal.Signals) -> None:
    """Ended while its cluster is being made: by SIGTERM it cleans up itself, after kill -9 `harness down` does."""
    assert _ours(client) == []
    with _inside("wait") as process:
        while f"{_NAME}-control-plane" not in _ours(client):
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
        process.send_signal(number)
        process.communicate(timeout=120)
    if number == signal.SIGKILL:
        assert _ours(client) != []
        done = subprocess.run(  # by its name: whoever runs the tests may have kept a mesh
            _harness("down", "--name", _NAME),
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert f"removed mesh {_NAME}\n" in done.stdout, done.stderr
    assert _ours(client) == []
