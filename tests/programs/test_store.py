"""The store under what a node does to it: writers that are killed, and a disk that is really full."""

import random
import shutil
import signal
import subprocess
import sys

import pytest

from autowasm.digest import Digest
from autowasm.store import blobs

pytestmark = pytest.mark.programs

KILLS = 40

WRITER = """
import sys
from pathlib import Path
from autowasm.store.blobs import Blobs, Room
store = Blobs(Path(sys.argv[1]), Room(quota=3_000_000, recent=0))
print("ready", flush=True)
for number in range(int(sys.argv[2]), 1_000_000):
    store.put(number.to_bytes(4, "big") * 100_000)
    print(number, flush=True)
"""

FULL = """
import sys
from pathlib import Path
from autowasm import errors
from autowasm.store.blobs import Blobs
store = Blobs(Path(sys.argv[1]))
first = store.put(b"1" * 600_000)
try:
    store.put(b"2" * 600_000)
except errors.Retry as fault:
    print(fault.reason, flush=True)
assert store.get(first) == b"1" * 600_000
assert store.digests() == {first}
assert not list(Path(sys.argv[1], "writing").iterdir())
store.delete(first)
store.put(b"2" * 600_000)
assert store.full == ""
print("goes on", flush=True)
"""

PARTLY = """
import resource, sys
from pathlib import Path
from autowasm import errors
from autowasm.store.blobs import Blobs
store = Blobs(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    store.put(b"1" * 600_000)
except errors.Retry as fault:
    print(fault.reason, flush=True)
assert not list(Path(sys.argv[1], "writing").iterdir())
store.put(b"small")
"""


def test_killed_at_any_instruction(tmp_path):
    """Whenever a writer is killed: all that it said it wrote is there, and all that is there is whole."""
    chance = random.Random(7)
    number = 0
    for _ in range(KILLS):
        command = [sys.executable, "-c", WRITER, tmp_path, str(number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "ready\n"
            try:
                process.wait(chance.uniform(0, 0.05))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
            said = [int(line) for line in process.stdout.read().splitlines()]
        # Other than by a file system's own means: no code of the store's looks.
        for path in (tmp_path / "sha256").iterdir():
            assert Digest.of(path.read_bytes()).hex == path.name
        if said:
            last = said[-1].to_bytes(4, "big") * 100_000
            assert (tmp_path / "sha256" / Digest.of(last).hex).read_bytes() == last
            number = said[-1] + 1
    assert number > KILLS
    blobs.Blobs(tmp_path)
    # An empty one stays for a second: it may be somebody's who is about to lock it.
    assert [path for path in (tmp_path / "writing").iterdir() if path.stat().st_size] == []


def test_full_disk(tmp_path):
    """On a disk of 1 MB the second blob is refused by that name; the first is served, and later there is room."""
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        pytest.skip("unshare and mount are not installed")
    script = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3" "$1"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    ended = subprocess.run(
        [*command, tmp_path, sys.executable, FULL], capture_output=True, text=True, timeout=60, check=False
    )
    if "unshare failed" in ended.stderr or "Operation not permitted" in ended.stderr:
        pytest.skip(f"user namespaces are not to be had: {ended.stderr}")
    assert (ended.stdout.split("\n")[:2], ended.returncode) == (["StoreFull", "goes on"], 0), ended.stderr


def test_write_that_ends_half_way(tmp_path):
    """A write that the system cuts in its middle is told as a full store, and leaves nothing."""
    command = [sys.executable, "-c", PARTLY, tmp_path]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout, ended.returncode) == ("StoreFull\n", 0), ended.stderr
