"""A registry that is killed while the wasmc program pushes or pulls, and is started again: both finish."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from autowasm.digest import Digest
from harness.samples import Samples
from tests.programs import forwarder, registry_server, wasmc_process

pytestmark = pytest.mark.programs

BYTES = 30_000_000
KILLED_AT = 12_000_000
SLACK = 8_000_000  # what is on its way when the registry dies, and is lost with it


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


@pytest.mark.parametrize("shape", ["image", "binary"])
@pytest.mark.parametrize("verb", ["push", "pull"])
def test_both_finish(tmp_path, module, verb, shape):
    """The program waits for the registry, says so on stderr, goes on where it was, and the digest is right."""
    (tmp_path / "filter.wasm").write_bytes(module)

    def die_and_return() -> None:
        server.kill()
        assert between.turned_away.wait(30)  # the program found nobody: now there is something to wait for
        server.start()

    push = ("-f", "filter.wasm", "--format", shape)
    with registry_server.running(tmp_path) as server:
        there = f"{server.host}/killed:v1"
        port, way = int(server.host.partition(":")[2]), "up" if verb == "push" else "down"
        if verb == "pull":
            wasmc_process.told(tmp_path, "push", there, *push)
        with forwarder.forwarding(port, way, KILLED_AT, die_and_return) as between:
            more = push if verb == "push" else ("-o", "back.wasm")
            done = wasmc_process.run(tmp_path, verb, f"{between.host}/killed:v1", *more)
        assert done.returncode == 0, done.stderr
        assert between.done
        assert between.gone[way] < BYTES + SLACK
        assert re.search(r"^registry: .*, trying again \(2 of \d+\)$", done.stderr, re.MULTILINE)
        pulled = wasmc_process.told(tmp_path, "pull", there, "-o", "again.wasm")
        assert pulled["sha256"] == Digest.of(module).hex
        assert (tmp_path / "again.wasm").read_bytes() == module
        if verb == "push":
            assert done.stdout.splitlines()[1] == f"Digest: {pulled['digest']}"
        else:
            assert (tmp_path / "back.wasm").read_bytes() == module
