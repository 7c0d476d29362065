"""Copying etcd's data without its holes."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.meshes.local import template

BLOCK = 64 * 1024


def test_zeros_become_holes_and_content_stays(tmp_path: Path) -> None:
    """A preallocated log is copied whole in what it says and takes the room of what is in it."""
    source = tmp_path / "source" / "member" / "wal"
    source.mkdir(parents=True)
    content = b"begin" + bytes(50 * BLOCK) + b"middle" + bytes(3 * BLOCK) + b"end" + bytes(7 * BLOCK)
    (source / "0.wal").write_bytes(content)
    (source / "empty").touch()
    template.copy(tmp_path / "source", tmp_path / "target")
    copied = tmp_path / "target" / "member" / "wal" / "0.wal"
    assert copied.read_bytes() == content
    assert copied.stat().st_blocks * 512 < 5 * BLOCK
    assert (copied.parent / "empty").read_bytes() == b""


def test_a_copy_of_a_copy_is_the_same(tmp_path: Path) -> None:
    """Holes are read as the zeros they stand for."""
    (tmp_path / "a").mkdir()
    with (tmp_path / "a" / "file").open("wb") as file:
        file.truncate(10 * BLOCK)
        file.seek(4 * BLOCK + 17)
        file.write(b"something")
    template.copy(tmp_path / "a", tmp_path / "b")
    template.copy(tmp_path / "b", tmp_path / "c")
    assert (tmp_path / "c" / "file").read_bytes() == (tmp_path / "a" / "file").read_bytes()


@given(parts=st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 3 * BLOCK)), max_size=4))
def test_any_content_survives(parts: list[tuple[bytes, int]], tmp_path_factory) -> None:
    """Whatever the mixture of bytes and zeros, the copy reads the same."""
    folder = tmp_path_factory.mktemp("copies")
    (folder / "a").mkdir()
    content = b"".join(data + bytes(zeros) for data, zeros in parts)
    (folder / "a" / "file").write_bytes(content)
    template.copy(folder / "a", folder / "b")
    assert (folder / "b" / "file").read_bytes() == content
