"""Whatever a server says in the headers that steer a transfer: what comes out is what went in, or an error of ours."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autowasm import errors
from autowasm.digest import Digest
from autowasm.oci import artifact
from autowasm.registry import upload
from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer, Seen
from tests.unit.registry import stored

LARGE = artifact.binary(stored.MODULE + bytes(range(256)) * (upload.WHOLE // 256))
MODULE = LARGE.blobs[1]
SIZE = len(MODULE.data)
CUT = 1_000_000
BLOB = f"{stored.BASE}/blobs/{MODULE.digest}"
UPLOADS = f"{stored.BASE}/blobs/uploads/"

_NUMBERS = st.sampled_from([-1, 0, 1, CUT - 1, CUT, SIZE - 1, SIZE, 1 << 70]) | st.integers(-5, SIZE + 5)
_WORDS = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=30).map(str.strip)
_RANGES = st.builds("{}{}-{}".format, st.sampled_from(["", "bytes=", "bytes "]), _NUMBERS, _NUMBERS) | _WORDS
_CONTENT_RANGES = st.builds("bytes {}-{}/{}".format, _NUMBERS, _NUMBERS, _NUMBERS | st.just("*")) | _WORDS
_PLACES = (
    st.sampled_from(
        ["/up", "/up?a=b", "", "//", "http://x:y", "https:x", "https://", "ftp://x/", "?", "#", "/up#x"]
    )
    | _WORDS
)


@pytest.fixture(scope="module")
def server():
    """A server whose routes each example sets."""
    with tiny_server.serving() as running:
        yield running


def _taking(said: str, place: str, came: list[bytes]) -> tiny_server.Handler:
    """An upload that is cut once, then says these headers, and keeps what it gets as the spec has it."""

    def handle(seen: Seen) -> Answer:
        if seen.method == "GET":
            return Answer(204, headers={"Range": said, **({"Location": place} if place else {})})
        if seen.method == "PATCH" and not came:
            came.append(seen.body[:CUT])
            return Answer(cut=-1)
        start = seen.headers.get("content-range", "0-").partition("-")[0]
        if seen.method == "PATCH":
            if start == "0":
                came[:] = [b""]
            if int(start) != len(came[0]):
                return Answer(416)
            came[0] += seen.body
            return Answer(202, headers={"Location": "/up"})
        return Answer(201 if Digest.of(came[0] + seen.body) == MODULE.digest else 400)

    return handle


@settings(max_examples=60)
@given(_RANGES, _PLACES)
def test_of_an_upload_that_was_cut(server, said, place):
    """A push ends with the whole module stored, or with an error; a registry is never told that half of it is all."""
    came: list[bytes] = []
    handle = _taking(said, place, came)
    server.routes = {(method, "/up"): handle for method in ("GET", "PATCH", "PUT")}
    server.routes["POST", UPLOADS] = Answer(202, headers={"Location": "/up"})
    server.routes["HEAD", f"{stored.BASE}/blobs/{LARGE.blobs[0].digest}"] = Answer(200)
    server.routes["PUT", f"{stored.BASE}/manifests/v1"] = Answer(201)
    server.routes["HEAD", f"{stored.BASE}/manifests/v1"] = Answer(
        200, headers={"Docker-Content-Digest": str(LARGE.digest)}
    )
    with contextlib.suppress(errors.Error):
        ref = stored.reference(server)
        assert stored.run(lambda registry: registry.store(ref, LARGE, None)) == LARGE.digest
        assert came == [MODULE.data]
    server.seen.clear()


@settings(max_examples=60)
@given(
    st.sampled_from([200, 206, 416]), _CONTENT_RANGES, st.integers(0, SIZE), st.sampled_from([1, CUT, SIZE])
)
def test_of_a_rest(server, status, said, start, size):
    """A pull that was cut ends with the module, or with an error, whatever the rest claims to be and is."""
    stored.store(server, LARGE)
    answers = [Answer(200, MODULE.data, cut=CUT)]
    rest = Answer(status, MODULE.data[start : start + size], {"Content-Range": said} if status != 200 else {})
    server.routes["GET", BLOB] = [*answers, rest]
    with contextlib.suppress(errors.Error):
        pulled = stored.run(lambda registry: registry.pull(stored.reference(server), None))
        assert pulled.module == MODULE.data
    server.seen.clear()


@given(
    _WORDS
    | st.builds("{}:{}".format, st.sampled_from(["sha256", "sha512", "SHA256"]), st.text("0f", max_size=70))
)
def test_of_a_digest(server, said):
    """What a pull says that it pulled is what came, whatever digest the registry says that it has."""
    stored.store(server, LARGE)
    path = f"{stored.BASE}/manifests/v1"
    for method in ("HEAD", "GET"):
        headers = {"Content-Type": LARGE.media_type, "Docker-Content-Digest": said}
        server.routes[method, path] = Answer(200, LARGE.manifest, headers)
    with contextlib.suppress(errors.Error):
        pulled = stored.run(lambda registry: registry.pull(stored.reference(server), None))
        assert (pulled.manifest, pulled.module) == (LARGE.digest, MODULE.data)
    server.seen.clear()
