"""The store of blobs: what is put is there, whole, under its digest; nothing else ever is."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autowasm import errors
from autowasm.digest import Digest
from autowasm.store import blobs

MODULE = b"\0asm\x01\0\0\0"


@pytest.fixture
def root(tmp_path):
    """A folder that is not there yet."""
    return tmp_path / "store"


@pytest.fixture
def store(root):
    """An empty store."""
    return blobs.Blobs(root)


def _file(root, digest):
    return root / "sha256" / digest.hex


def _damage(path):
    path.chmod(0o644)
    path.write_bytes(b"damaged")


def test_put_get(store):
    """What is put is got back under the digest of its bytes."""
    digest = store.put(MODULE)
    assert digest == Digest.of(MODULE)
    assert store.get(digest) == MODULE
    assert store.path(digest).read_bytes() == MODULE


def test_absent(store):
    """What was never put is absent."""
    digest = Digest.of(b"never")
    assert (store.get(digest), store.path(digest)) == (None, None)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(max_size=64), max_size=6), st.sets(st.integers(0, 5)))
def test_holds_exactly_what_was_put_and_not_deleted(tmp_path_factory, contents, deleted):
    """After any puts and deletes the store lists and gives what a dictionary would."""
    store = blobs.Blobs(tmp_path_factory.mktemp("store"))
    model = {store.put(data): data for data in contents}
    for index in deleted:
        digest = Digest.of(contents[index]) if index < len(contents) else Digest.of(b"absent" * 20)
        store.delete(digest)
        model.pop(digest, None)
    assert store.digests() == model.keys()
    assert {digest: store.get(digest) for digest in model} == model


def test_survives_reopening(store, root):
    """Another process that opens the folder finds what was put."""
    digest = store.put(MODULE)
    assert blobs.Blobs(root).get(digest) == MODULE


@pytest.mark.parametrize("read", ["get", "path", "open"])
def test_damaged_blob_is_absent_and_kept_aside(store, root, read):
    """A blob whose bytes changed reads as absent and goes into quarantine."""
    digest = store.put(MODULE)
    _damage(_file(root, digest))
    assert getattr(store, read)(digest) is None
    assert digest not in store.digests()
    (aside,) = (root / "quarantine").iterdir()
    assert aside.read_bytes() == b"damaged"


def test_put_heals_damage(store, root):
    """Putting a damaged blob again makes it whole, time after time."""
    for _ in range(3):
        digest = store.put(MODULE)
        assert store.get(digest) == MODULE
        _damage(_file(root, digest))
    store.put(MODULE)
    assert store.get(digest) == MODULE
    assert len(list((root / "quarantine").iterdir())) == 3


def test_nothing_is_left_of_writing(store, root):
    """After a put no temporary file is there."""
    store.put(MODULE)
    assert list((root / "writing").iterdir()) == []


def test_half_written_blob_of_a_crash_is_not_seen(root, store):
    """What a killed writer left is no blob, and cleared away; what is being written is left alone."""
    (root / "writing" / "orphan").write_bytes(MODULE[:4])
    with store.draft(len(MODULE)) as draft:
        draft.write(MODULE)
        again = blobs.Blobs(root)
        assert again.digests() == frozenset()
        assert [path.name for path in (root / "writing").iterdir()] != ["orphan"]
        store.keep(draft)
    assert again.get(Digest.of(MODULE)) == MODULE
    assert list((root / "writing").iterdir()) == []


def test_foreign_file_is_no_blob(store, root):
    """A file that is not named by a digest is not listed."""
    (root / "sha256" / "README").write_text("hello")
    assert store.digests() == frozenset()


def test_folder_that_cannot_be_made(tmp_path):
    """A root that is a file is a final error that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.Final, match=r"folder .*file: must be writable") as caught:
        blobs.Blobs(tmp_path / "file")
    assert (caught.value.side, caught.value.reason) == ("store", "StoreUnusable")


def test_failed_write_leaves_nothing(store, root):
    """A blob that can't be put into its place is an error to retry, and nothing of it stays."""
    digest = Digest.of(MODULE)
    (root / "sha256" / digest.hex).mkdir()  # reading a folder fails, as does renaming a file over it
    with pytest.raises(errors.Retry) as caught:
        store.put(MODULE)
    assert (caught.value.side, caught.value.reason) == ("store", "StoreFault")
    assert list((root / "writing").iterdir()) == []


def test_threads_that_put_the_same(store):
    """Threads that put one blob at the same time all succeed, and it is whole."""
    data = MODULE + bytes(1 << 20)
    barrier = threading.Barrier(8)
    found = []

    def put():
        barrier.wait()
        found.append(store.put(data))

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [Digest.of(data)] * 8
    assert store.get(Digest.of(data)) == data
