"""A store that is bounded: what gives way, what does not, and what it says when it is full."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from autowasm import errors, limits
from autowasm.digest import Digest
from autowasm.store import blobs
from autowasm.store.blobs import Room

SIZE = 1000


def _data(number):
    return bytes([number]) * SIZE


def _aged(root, digest, used):
    """The blob as if it had last been used then."""
    path = root / "sha256" / digest.hex
    os.utime(path, (used, path.stat().st_mtime))


def _filled(root, room, count):
    """A store with blobs, the first one used the longest time ago; their digests."""
    store = blobs.Blobs(root, room)
    digests = [store.put(_data(number)) for number in range(count)]
    for used, digest in enumerate(digests):
        _aged(root, digest, 1000 + used)
    return blobs.Blobs(root, room), digests


def test_the_least_recently_used_gives_way(tmp_path):
    """A blob beyond the quota takes the place of the one that nobody used for the longest time, after restarts too."""
    store, digests = _filled(tmp_path, Room(quota=3 * SIZE), 3)
    new = store.put(_data(9))
    assert store.digests() == {*digests[1:], new}
    assert store.size == 3 * SIZE


def test_use_counts(tmp_path):
    """What was read is not what was used the longest time ago."""
    store, digests = _filled(tmp_path, Room(quota=3 * SIZE), 3)
    assert store.open(digests[0])
    store.put(_data(9))
    assert digests[0] in store.digests()
    assert digests[1] not in store.digests()


def test_wanted_never_gives_way(tmp_path):
    """Where everything is wanted the new blob is refused, with what there is and what to do; all stays."""
    wanted = [Digest.of(_data(number)) for number in range(3)]
    store, digests = _filled(tmp_path, Room(quota=3 * SIZE, wanted=lambda: wanted), 3)
    with pytest.raises(errors.Retry, match="no room: 3000 bytes are wanted, of a quota of 3000") as caught:
        store.put(_data(9))
    assert (caught.value.side, caught.value.reason) == ("store", "StoreFull")
    assert "quota" in caught.value.remedy
    assert store.digests() == set(digests)
    assert store.full == caught.value.message


def test_lately_used_never_gives_way(tmp_path):
    """What was used within the time to stay is not dropped, and there is room again when the time has passed."""
    store = blobs.Blobs(tmp_path, Room(quota=SIZE, recent=3600))
    first = store.put(_data(1))
    with pytest.raises(errors.Retry):
        store.put(_data(2))
    _aged(tmp_path, first, 1000)
    assert store.put(_data(2)) in store.digests()
    assert first not in store.digests()
    assert store.full == ""


def test_drafts_count(tmp_path):
    """What is being written has its room: two at once do not share it."""
    store = blobs.Blobs(tmp_path, Room(quota=3 * SIZE))
    with store.draft(2 * SIZE), pytest.raises(errors.Retry), store.draft(2 * SIZE):
        pass
    with store.draft(2 * SIZE):
        pass


def test_quarantine_gives_way_first(tmp_path):
    """Damaged blobs are dropped before any whole one."""
    store, digests = _filled(tmp_path, Room(quota=3 * SIZE), 3)
    path = tmp_path / "sha256" / digests[2].hex
    path.chmod(0o644)
    path.write_bytes(b"x" * SIZE)
    assert store.get(digests[2]) is None
    new = store.put(_data(9))
    assert store.digests() == {*digests[:2], new}
    assert list((tmp_path / "quarantine").iterdir()) == []


def test_quarantine_is_bounded(tmp_path):
    """However often a disk spoils a blob, only the newest few are kept."""
    store = blobs.Blobs(tmp_path)
    for number in range(limits.QUARANTINED_BLOBS + 3):
        path = tmp_path / "sha256" / store.put(_data(1)).hex
        path.chmod(0o644)
        path.write_bytes(b"damage %d" % number)
        assert store.get(Digest.of(_data(1))) is None
    kept = sorted(path.read_bytes() for path in (tmp_path / "quarantine").iterdir())
    assert kept == [b"damage %d" % number for number in range(3, limits.QUARANTINED_BLOBS + 3)]


def test_verified_once(tmp_path):
    """An opened blob costs no second reading while its file is the same, and is read again once it is another."""
    digest = blobs.Blobs(tmp_path).put(_data(1))
    store = blobs.Blobs(tmp_path)
    assert store.ready(digest) is None
    assert store.open(digest)
    assert store.ready(digest) is store.ready(digest) is not None
    _rot(tmp_path / "sha256" / digest.hex)
    assert store.ready(digest) is None
    assert store.open(digest) is None
    assert store.digests() == frozenset()


def test_trust_ends(tmp_path):
    """After its time a blob is read again though its file seems to be the same: bits that rot leave no trace."""
    store = blobs.Blobs(tmp_path, Room(trust=-1))
    digest = store.put(_data(1))
    assert store.open(digest)
    assert store.ready(digest) is None


def test_a_use_is_no_change(tmp_path):
    """To take note that a blob was used does not make it another."""
    store = blobs.Blobs(tmp_path)
    digest = store.put(_data(1))
    before = (tmp_path / "sha256" / digest.hex).stat()
    _aged(tmp_path, digest, 1000)
    assert store.ready(digest) is None
    assert store.open(digest)
    assert store.ready(digest)
    after = (tmp_path / "sha256" / digest.hex).stat()
    assert after.st_atime > 1000
    assert after.st_mtime_ns == pytest.approx(before.st_mtime_ns, abs=1000)


def test_several_readers(tmp_path):
    """Threads that open, read and put a blob at the same time all get all of it."""
    store = blobs.Blobs(tmp_path)
    digest = store.put(_data(1) * 1000)

    def read(number):
        if number % 3 == 0:
            return Digest.of(store.get(digest)) == digest
        if number % 3 == 1:
            return store.put(_data(1) * 1000) == digest
        opened = store.open(digest)
        return os.pread(opened.descriptor, opened.size, 0) == _data(1) * 1000

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(200)))


def _rot(path):
    """Other bytes, as a disk makes them: no time says so."""
    before = path.stat()
    path.chmod(0o644)
    path.write_bytes(_data(2))
    path.chmod(0o444)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_open_outlives_deletion(tmp_path):
    """Who reads a blob that is dropped reads it to the end."""
    store = blobs.Blobs(tmp_path)
    opened = store.open(store.put(_data(1)))
    store.delete(Digest.of(_data(1)))
    assert os.pread(opened.descriptor, opened.size, 0) == _data(1)
    assert store.size == 0
