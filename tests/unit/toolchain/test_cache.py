"""The cache folder: its place, its locks, its writes."""

import contextlib
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.toolchain import cache
from harness.toolchain.lacking import Lacking

HOLDER = """
import sys, time
from pathlib import Path
from harness.toolchain import cache
with cache.locked(Path(sys.argv[1]), what="builds etcd"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_folder_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """XDG_CACHE_HOME is followed where it is absolute, and ~/.cache stands in for it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.root() == tmp_path / "autowasm-harness"
    monkeypatch.setenv("HOME", str(tmp_path))
    for unusable in ("", "relative/folder"):
        monkeypatch.setenv("XDG_CACHE_HOME", unusable)
        assert cache.root() == tmp_path / ".cache" / "autowasm-harness"


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    """Two threads with a lock of the same path are never inside at once."""
    inside, most = [0], [0]

    def work() -> None:
        for _ in range(5):
            with cache.locked(tmp_path / "thing"):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_who_waits_is_told_for_whom_and_the_lock_dies_with_its_owner(tmp_path: Path) -> None:
    """A waiter learns the owner's process and purpose; kill -9 of the owner frees the lock."""
    owner = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "thing")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert owner.stdout
        assert owner.stdout.readline() == "held\n"
        told: list[str] = []

        def waiting(whom: str) -> None:
            told.append(whom)
            owner.kill()

        with cache.locked(tmp_path / "thing", waiting=waiting, timeout=30):
            assert told == [f"process {owner.pid} (builds etcd)"]
    finally:
        owner.kill()
        owner.communicate()


def test_waiting_ends(tmp_path: Path) -> None:
    """A lock that does not come free is an error that names it, after the time-out."""
    with cache.locked(tmp_path / "thing"), contextlib.ExitStack() as stack:
        late = cache.locked(tmp_path / "thing", timeout=0)
        with pytest.raises(Lacking, match=r"thing\.lock was not free within 0 s"):
            stack.enter_context(late)


def test_a_write_replaces_whole_files_and_leaves_no_other(tmp_path: Path) -> None:
    """Readers see one of the versions whole, and no temporary file stays."""
    target = tmp_path / "folder" / "file"
    versions = [bytes([number]) * 100_000 for number in range(8)]
    cache.write(target, versions[0])
    threads = [threading.Thread(target=cache.write, args=(target, version)) for version in versions]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert target.read_bytes() in versions
    for thread in threads:
        thread.join()
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_a_write_that_is_refused_names_the_place(tmp_path: Path) -> None:
    """A cache that is no folder gives an error with the path and the variable that moves it."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Lacking, match=r"file.* cannot be written") as caught:
        cache.write(tmp_path / "file" / "below", b"")
    assert "XDG_CACHE_HOME" in caught.value.remedy


def test_a_scratch_folder_takes_away_what_dead_runs_left(tmp_path: Path) -> None:
    """Leavings beside the thing go at the next start, the folder itself at its end, the thing stays."""
    (tmp_path / ".thing.123.tmp").mkdir()
    (tmp_path / ".thing.123.tmp" / "half").write_text("half")
    (tmp_path / "thing").write_text("whole")
    with cache.scratch(tmp_path / "thing") as folder:
        assert list(folder.iterdir()) == []
        (folder / "half").write_text("half")
    assert [path.name for path in tmp_path.iterdir()] == ["thing"]


@given(data=st.binary(max_size=200))
def test_what_the_cache_remembers_may_be_damaged(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any bytes at all read as an object, an empty one where they are none."""
    file = tmp_path_factory.mktemp("json") / "times.json"
    file.write_bytes(data)
    assert isinstance(cache.read_json(file), dict)
