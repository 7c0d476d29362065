"""Layers: the same bytes for the same content, in an order that every unpacker can follow."""

import io
import os
import tarfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.images.layer import MERGED, Blob, Layer, _Pieces, measured


def _names(blob: Blob) -> list[str]:
    with tarfile.open(blob.path) as tar:
        return tar.getnames()


def test_a_layer_is_the_same_whoever_writes_it_and_when(tmp_path: Path) -> None:
    """Owner, time and mode of the source file do not reach the layer, so its digest names its content."""
    blobs = []
    for turn, mode in enumerate((0o600, 0o777)):
        source = tmp_path / f"source{turn}"
        source.write_bytes(b"program")
        source.chmod(mode)
        os.utime(source, (turn * 1000, turn * 1000))
        layer = Layer(tmp_path / f"{turn}.tar")
        layer.file("bin/program", source)
        layer.data("etc/settings", b"a: 1\n")
        blobs.append(layer.finish())
    assert blobs[0].digest == blobs[1].digest
    assert blobs[0].size == blobs[0].path.stat().st_size


def test_folders_come_before_what_is_in_them_once(tmp_path: Path) -> None:
    """Each folder above an entry is there exactly once, before it."""
    layer = Layer(tmp_path / "layer.tar")
    layer.data("a/b/c", b"")
    layer.data("a/b/d", b"")
    layer.folder("a/b")
    assert _names(layer.finish()) == ["a", "a/b", "a/b/c", "a/b/d"]


def test_what_is_added_twice_stays_as_it_was_first(tmp_path: Path) -> None:
    """A file that a package brings does not replace the one that was put in on purpose."""
    layer = Layer(tmp_path / "layer.tar")
    layer.data("etc/passwd", b"first")
    layer.data("/etc/passwd", b"second")
    with tarfile.open(layer.finish().path) as tar:
        file = tar.extractfile("etc/passwd")
        assert file
        assert file.read() == b"first"


def test_a_merged_layer_begins_with_its_links(tmp_path: Path) -> None:
    """/lib and its like are links into /usr before any file is below them, and files go where they point."""
    layer = Layer(tmp_path / "layer.tar", merged=True)
    layer.data("/lib/x86_64-linux-gnu/libc.so.6", b"")
    layer.data("sbin/init", b"")
    layer.data("etc/lib/none-of-these", b"")
    blob = layer.finish()
    with tarfile.open(blob.path) as tar:
        links = {member.name: member.linkname for member in tar if member.issym()}
    assert links == {name: f"usr/{name}" for name in MERGED}
    names = _names(blob)
    assert {"usr/lib/x86_64-linux-gnu/libc.so.6", "usr/sbin/init", "etc/lib/none-of-these"} <= set(names)
    assert max(map(names.index, MERGED)) < names.index("usr/lib/x86_64-linux-gnu/libc.so.6")


def test_a_finished_layer_is_measured_again(tmp_path: Path) -> None:
    """What is kept from an earlier run is the same blob as when it was written."""
    layer = Layer(tmp_path / "layer.tar")
    layer.link("usr/sbin/iptables", "xtables-nft-multi")
    blob = layer.finish()
    assert measured(blob.path) == blob


@given(st.lists(st.binary(max_size=9)), st.lists(st.integers(0, 12)))
def test_pieces_read_as_the_file_that_they_are_of(pieces: list[bytes], sizes: list[int]) -> None:
    """Whatever the pieces, empty ones too, reads give the bytes that a file of them gives."""
    whole = io.BytesIO(b"".join(pieces))
    read = _Pieces(iter(pieces))
    assert [read.read(size) for size in sizes] == [whole.read(size) for size in sizes]
    assert read.read() == whole.read()
