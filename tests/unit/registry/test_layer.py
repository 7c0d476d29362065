"""Layers whose connection is cut: what came is kept, the rest is asked for, the whole is verified."""

from __future__ import annotations

import random

import pytest

from autowasm import errors
from autowasm.oci import artifact
from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer
from tests.unit.registry import stored

MIB = 1 << 20
PART = MIB + MIB // 2
MODULE = b"\0asm\1\0\0\0" + random.Random(6).randbytes(3 * MIB)  # noise that gzip cannot shorten
MADE = artifact.image(MODULE)
LAYER = MADE.blobs[1]
BLOB = f"{stored.BASE}/blobs/{LAYER.digest}"
END = len(LAYER.data) - 1


@pytest.fixture
def server():
    """A server that has the module under v1."""
    with tiny_server.serving() as running:
        stored.store(running, MADE)
        yield running


def _ranged(seen: tiny_server.Seen, data: bytes = LAYER.data, cut: int = PART) -> Answer:
    """The rest that was asked for."""
    at = int(seen.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
    where = {"Content-Range": f"bytes {at}-{len(data) - 1}/{len(data)}"}
    return Answer(206 if at else 200, data[at:], where if at else {}, cut=cut)


def _pull(server: tiny_server.Server) -> bytes:
    return stored.run(lambda registry: registry.pull(stored.reference(server), None)).module


def _asked(server: tiny_server.Server) -> list[str | None]:
    return [seen.headers.get("range") for seen in server.asked("GET", BLOB)]


def test_goes_on(server):
    """After a cut the rest alone is asked for, as often as it takes: tries that bring bytes are not counted."""
    server.routes["GET", BLOB] = _ranged
    assert _pull(server) == MODULE
    assert _asked(server) == [None, f"bytes={PART}-{END}", f"bytes={2 * PART}-{END}"]


def test_server_without_ranges(server):
    """A server that sends the whole again is taken from where the former try ended."""
    server.routes["GET", BLOB] = [Answer(200, LAYER.data, cut=2 * MIB + 5), Answer(200, LAYER.data)]
    assert _pull(server) == MODULE
    assert _asked(server) == [None, f"bytes={2 * MIB + 5}-{END}"]


def test_rest_of_something_else(server):
    """A rest that does not belong to what came before is found by the digest."""
    other = LAYER.data[:-9] + b"different"
    server.routes["GET", BLOB] = lambda seen: _ranged(seen, other if "range" in seen.headers else LAYER.data)
    with pytest.raises(errors.Final) as caught:
        _pull(server)
    assert caught.value.reason == "DigestMismatch"


@pytest.mark.parametrize(
    "where", ["", "bytes 0-9/10", "bytes */10", f"bytes {MIB + 10}-9/10", "bytes ²-9/10"]
)
def test_rest_from_elsewhere(server, where):
    """A rest that begins elsewhere than was asked is refused."""
    headers = {"Content-Range": where} if where else {}
    server.routes["GET", BLOB] = [
        Answer(200, LAYER.data, cut=MIB + 9),
        Answer(206, LAYER.data[MIB:], headers),
    ]
    with pytest.raises(errors.Final) as caught:
        _pull(server)
    assert caught.value.reason == "DigestMismatch"
    assert f"must go on at byte {MIB + 9}" in caught.value.message


def test_range_that_was_not_asked_for(server):
    """A part in answer to a request for the whole is refused unless it begins at the beginning."""
    server.routes["GET", BLOB] = Answer(206, LAYER.data[5:], {"Content-Range": "bytes 5-9/10"})
    with pytest.raises(errors.Final) as caught:
        _pull(server)
    assert "must go on at byte 0" in caught.value.message


def test_faults_in_between(server):
    """A fault between two parts is waited for as any other, and does not lose what came before it."""
    parts = iter([_ranged, lambda _seen: Answer(503), lambda _seen: Answer(429), _ranged, _ranged])

    def part(seen: tiny_server.Seen) -> Answer:
        return next(parts)(seen)

    server.routes["GET", BLOB] = part
    assert _pull(server) == MODULE
    assert _asked(server) == [None, *[f"bytes={PART}-{END}"] * 3, f"bytes={2 * PART}-{END}"]


def test_cut_again_and_again(server):
    """A server that cuts after a few bytes each time is tried no more often than one that gives none."""
    server.routes["GET", BLOB] = lambda seen: _ranged(seen, cut=100)
    with pytest.raises(errors.Retry) as caught:
        _pull(server)
    assert caught.value.message.endswith("tried 3 times")
    assert _asked(server) == [None, f"bytes=100-{END}", f"bytes=200-{END}"]


def test_cut_after_the_last_byte(server):
    """A connection that breaks after the last byte has brought the whole: nothing more is asked for."""
    chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (
        len(LAYER.data),
        LAYER.data,
    )
    server.routes["GET", BLOB] = [Answer(stream=lambda: iter([chunk])), Answer(416)]
    assert _pull(server) == MODULE
    assert _asked(server) == [None]
