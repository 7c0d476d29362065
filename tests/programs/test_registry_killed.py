"""A registry that is killed while the wasmc program pushes, pulls or copies, and is started again: all finish."""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from autowasm.digest import Digest
from harness.samples import Samples
from tests.programs import forwarder, registry_server, wasmc_process

pytestmark = pytest.mark.programs

BYTES = 30_000_000
KILLED_AT = 12_000_000


@pytest.fixture(scope="module")
def module() -> bytes:
    """A module that loads, with a custom section that does not compress."""
    hello = Samples(Path(__file__).parents[2] / "wasm_samples").module("good/hello-v1")
    content = b"\x05noise" + random.Random(7).randbytes(BYTES)
    size, encoded = len(content), bytearray()
    while size > 0x7F:
        encoded.append(size & 0x7F | 0x80)
        size >>= 7
    return hello + b"\x00" + bytes([*encoded, size]) + content


@contextlib.contextmanager
def dying(server: registry_server.Server, way: forwarder.Direction) -> Iterator[forwarder.Forwarder]:
    """A way to a registry that is killed on it, and comes back when the program has found nobody there."""

    def die_and_return() -> None:
        server.kill()
        assert between.turned_away.wait(30)
        server.start()

    with forwarder.forwarding(int(server.host.partition(":")[2]), way, KILLED_AT, die_and_return) as between:
        yield between


def went_on(between: forwarder.Forwarder, way: forwarder.Direction, told: str) -> None:
    """The registry died, the user was told, and what had come was not sent once more."""
    assert between.done
    # What a slow reader had not read yet died with the connection: up to all of it, but for what was read.
    assert between.gone[way] < BYTES + KILLED_AT
    assert re.search(r"^registry: .*, trying again \(2 of \d+\)$", told, re.MULTILINE)


@pytest.mark.parametrize("shape", ["image", "binary"])
@pytest.mark.parametrize("verb", ["push", "pull"])
def test_both_finish(tmp_path, module, verb, shape):
    """The program waits for the registry, says so on stderr, goes on where it was, and the digest is right."""
    (tmp_path / "filter.wasm").write_bytes(module)

    push = ("-f", "filter.wasm", "--format", shape)
    with registry_server.running(tmp_path) as server:
        there = f"{server.host}/killed:v1"
        way: forwarder.Direction = "up" if verb == "push" else "down"
        if verb == "pull":
            wasmc_process.told(tmp_path, "push", there, *push)
        with dying(server, way) as between:
            more = push if verb == "push" else ("-o", "back.wasm")
            done = wasmc_process.run(tmp_path, verb, f"{between.host}/killed:v1", *more)
        assert done.returncode == 0, done.stderr
        went_on(between, way, done.stderr)
        pulled = wasmc_process.told(tmp_path, "pull", there, "-o", "again.wasm")
        assert pulled["sha256"] == Digest.of(module).hex
        assert (tmp_path / "again.wasm").read_bytes() == module
        if verb == "push":
            assert done.stdout.splitlines()[1] == f"Digest: {pulled['digest']}"
        else:
            assert (tmp_path / "back.wasm").read_bytes() == module


@pytest.mark.parametrize("killed", ["source", "target"])
def test_copy_finishes(tmp_path, module, killed):
    """A copy goes on where it was, whichever of its two registries is killed, and the copy has the same digest."""
    (tmp_path / "filter.wasm").write_bytes(module)
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    way: forwarder.Direction = "down" if killed == "source" else "up"
    with (
        registry_server.running(tmp_path / "source") as source,
        registry_server.running(tmp_path / "target") as target,
        dying(source if killed == "source" else target, way) as between,
    ):
        hosts = {"source": source.host, "target": target.host, killed: between.host}
        push = ("push", f"{source.host}/killed:v1", "-f", "filter.wasm", "--format", "binary")
        pushed = wasmc_process.told(tmp_path, *push)
        done = wasmc_process.run(
            tmp_path, "copy", *(f"{hosts[name]}/killed:v1" for name in ("source", "target"))
        )
        assert done.returncode == 0, done.stderr
        went_on(between, way, done.stderr)
        pulled = wasmc_process.told(tmp_path, "pull", f"{target.host}/killed:v1")
    assert (pulled["digest"], pulled["sha256"]) == (pushed["digest"], Digest.of(module).hex)
