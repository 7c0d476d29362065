"""Large blobs on their way from one registry to another, when either is cut or lies."""

from __future__ import annotations

import random
import re

import pytest

from autowasm import errors
from autowasm.oci import artifact
from autowasm.registry import upload
from autowasm.registry.client import Party
from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer
from tests.unit.registry import stored

MIB = 1 << 20
PART = 2 * MIB + 7
NOISE = b"\0asm\1\0\0\0" + random.Random(9).randbytes(5 * MIB)
MADE = artifact.cncf(NOISE)
LARGE = next(blob for blob in MADE.blobs if blob.data == NOISE)
BLOB = f"{stored.BASE}/blobs/{LARGE.digest}"


@pytest.fixture
def source():
    """A server that has the image under v1."""
    with tiny_server.serving() as running:
        stored.store(running, MADE)
        yield running


class Target:
    """A registry that keeps the bytes of one upload; ``lose``: what it does with a PATCH, by its number."""

    def __init__(self, server: tiny_server.Server) -> None:
        self.server = server
        self.came = bytearray()
        self.ended: list[bytes] = []
        self.loses: list[int] = []  # from which byte on each PATCH is lost, in order
        where = {"Location": "/large"}
        server.routes["POST", f"{stored.BASE}/blobs/uploads/"] = Answer(202, headers=where)
        server.routes["PUT", "/large"] = self._end
        server.routes["PATCH", "/large"] = self._patch
        server.routes["GET", "/large"] = lambda _seen: Answer(
            204, headers={"Range": f"0-{max(0, len(self.came) - 1)}", **where}
        )
        server.routes["PUT", f"{stored.BASE}/manifests/v1"] = Answer(
            201, headers={"Docker-Content-Digest": str(MADE.digest)}
        )

    def _patch(self, seen: tiny_server.Seen) -> Answer:
        lost = self.loses.pop(0) if self.loses else len(seen.body)
        self.came += seen.body[:lost]
        whole = len(seen.body) == int(seen.headers["content-length"]) and lost == len(seen.body)
        return Answer(202, headers={"Location": "/large"}) if whole else Answer(cut=-1)

    def _end(self, seen: tiny_server.Seen) -> Answer:
        if LARGE.digest.hex in seen.path:
            self.ended.append(bytes(self.came))
        return Answer(201)

    @property
    def manifests(self) -> list[tiny_server.Seen]:
        """Manifests that were stored."""
        return self.server.asked("PUT", f"{stored.BASE}/manifests/v1")


@pytest.fixture
def target():
    """A registry without anything."""
    with tiny_server.serving() as running:
        yield Target(running)


def _copy(source, target, manner=upload.PLAINLY):
    parties = Party(stored.reference(source), None), Party(stored.reference(target.server), None)
    return stored.run(lambda registry: registry.copy(*parties, manner))


def _ranged(seen: tiny_server.Seen, data: bytes = NOISE, cut: int | None = PART) -> Answer:
    at = int(seen.headers.get("range", "bytes=0-")[6:].partition("-")[0])
    where = {"Content-Range": f"bytes {at}-{len(data) - 1}/{len(data)}"}
    return Answer(206 if at else 200, data[at:], where if at else {}, cut=cut)


def _asked(source) -> list[int]:
    """From which bytes on the large blob was asked for."""
    ranges = (seen.headers.get("range", "bytes=0-") for seen in source.asked("GET", BLOB))
    return [int(re.match("bytes=([0-9]+)-", value)[1]) for value in ranges]


def test_goes_in_one_request(source, target):
    """A large blob is read once and sent once, and whoever looks on hears how far it is."""
    heard = []
    manner = upload.Manner(told=lambda blob, at: heard.append((blob.digest, at, blob.size)))
    assert _copy(source, target, manner) == MADE.digest
    assert target.ended == [NOISE]
    assert _asked(source) == [0]
    told = [at for digest, at, size in heard if (digest, size) == (LARGE.digest, len(NOISE))]
    assert told == sorted(told)
    assert (told[0] < MIB * 2, told[-1]) == (True, len(NOISE))


def test_source_is_cut(source, target):
    """Where the source is cut its rest is asked for, and the target sees one upload."""
    source.routes["GET", BLOB] = _ranged
    assert _copy(source, target) == MADE.digest
    assert target.ended == [NOISE]
    assert _asked(source) == [0, PART, 2 * PART]
    assert len(target.server.asked("PATCH", "/large")) == 1


def test_source_without_ranges(source, target):
    """A source that sends the whole again is taken from where it was cut."""
    source.routes["GET", BLOB] = [Answer(200, NOISE, cut=PART), Answer(200, NOISE)]
    assert _copy(source, target) == MADE.digest
    assert target.ended == [NOISE]


def test_target_is_cut(source, target):
    """Where the target is cut it says how far it is, and the source is read from there."""
    target.loses = [3 * MIB + 1, MIB]
    assert _copy(source, target) == MADE.digest
    assert target.ended == [NOISE]
    assert _asked(source) == [0, 3 * MIB + 1, 4 * MIB + 1]


def test_both_are_cut(source, target):
    """A cut of either, one after the other, ends with the same bytes."""
    source.routes["GET", BLOB] = _ranged
    target.loses = [MIB + 3, 2 * MIB]
    assert _copy(source, target) == MADE.digest
    assert target.ended == [NOISE]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (NOISE[:-1] + b"?", "DigestMismatch"),
        (NOISE[:-1], "DigestMismatch"),
        (NOISE + b"x", "DigestMismatch"),
    ],
    ids=["other", "shorter", "longer"],
)
def test_source_lies(source, target, data, reason):
    """Other bytes than the digest's are never ended as an upload, and no manifest names them."""
    source.routes["GET", BLOB] = Answer(200, data)
    with pytest.raises(errors.Final) as caught:
        _copy(source, target)
    assert caught.value.reason == reason
    assert str(LARGE.digest) in caught.value.message
    assert (target.ended, target.manifests) == ([], [])


def test_rest_of_something_else(source, target):
    """A rest that does not belong to what came before is found by the digest, whoever was cut."""
    other = NOISE[:-9] + b"different"
    source.routes["GET", BLOB] = lambda seen: _ranged(seen, other if "range" in seen.headers else NOISE)
    with pytest.raises(errors.Final) as caught:
        _copy(source, target)
    assert caught.value.reason == "DigestMismatch"
    assert target.ended == []


def test_source_refuses(source, target):
    """A source that has no such blob ends the copy at once: no upload is begun anew for it."""
    del source.routes["GET", BLOB]
    with pytest.raises(errors.Final) as caught:
        _copy(source, target)
    assert caught.value.reason == "NotFound"
    assert len(source.asked("GET", BLOB)) == 1
    assert target.ended == []


def test_source_that_is_down(source, target):
    """A source that does not heal is tried as often as any registry, and the error names it."""
    source.routes["GET", BLOB] = Answer(503)
    with pytest.raises(errors.Retry) as caught:
        _copy(source, target)
    assert caught.value.message.endswith("tried 3 times")
    assert source.host in caught.value.message
