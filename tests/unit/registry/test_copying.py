"""Copying from a server that lies to one that refuses."""

from __future__ import annotations

import json

import pytest

from autowasm import errors, limits
from autowasm.digest import Digest
from autowasm.oci import artifact, manifest
from autowasm.registry.client import Party
from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer
from tests.unit.registry import stored

MADE = artifact.image(stored.MODULE)
UPLOADS = f"{stored.BASE}/blobs/uploads/"


@pytest.fixture
def source():
    """A server that has the image under v1."""
    with tiny_server.serving() as running:
        stored.store(running, MADE)
        yield running


@pytest.fixture
def target():
    """A server that takes everything."""
    with tiny_server.serving() as running:
        running.routes["POST", UPLOADS] = Answer(202, headers={"Location": "/up"})
        running.routes["PUT", "/up"] = Answer(201)
        yield running


def _takes(target, selector: str, digest: Digest) -> None:
    answer = Answer(201, headers={"Docker-Content-Digest": str(digest)})
    target.routes["PUT", f"{stored.BASE}/manifests/{selector}"] = answer


def _copy(source, target, rest=":v1"):
    parties = Party(stored.reference(source), None), Party(stored.reference(target, rest), None)
    return stored.run(lambda registry: registry.copy(*parties))


def _index(*digests: Digest) -> bytes:
    items = [{"mediaType": manifest.OCI_MANIFEST, "digest": str(digest), "size": 1} for digest in digests]
    return json.dumps({"schemaVersion": 2, "mediaType": manifest.OCI_INDEX, "manifests": items}).encode()


def test_everything_goes(source, target):
    """Blobs go first, then the manifest, byte by byte as it was."""
    _takes(target, "v1", MADE.digest)
    assert _copy(source, target) == MADE.digest
    sent = [seen for seen in target.seen if seen.method == "PUT"]
    assert {seen.body for seen in sent[:-1]} == {blob.data for blob in MADE.blobs}
    assert (sent[-1].body, sent[-1].headers["content-type"]) == (MADE.manifest, MADE.media_type)


def test_what_is_there_is_not_fetched(source, target):
    """Blobs that the target has are neither fetched nor sent."""
    _takes(target, "v1", MADE.digest)
    for blob in MADE.blobs:
        target.routes["HEAD", f"{stored.BASE}/blobs/{blob.digest}"] = Answer(200)
    assert _copy(source, target) == MADE.digest
    assert len(source.seen) == 1
    assert target.asked("POST", UPLOADS) == []


def test_index(source, target):
    """Of an index each image goes first, under its digest."""
    body = _index(MADE.digest)
    source.routes["GET", f"{stored.BASE}/manifests/v1"] = Answer(200, body)
    _takes(target, str(MADE.digest), MADE.digest)
    _takes(target, "v1", Digest.of(body))
    assert _copy(source, target) == Digest.of(body)
    assert [seen.body for seen in target.seen if "/manifests/" in seen.path] == [MADE.manifest, body]


def test_index_of_indexes(source, target):
    """Indexes that nest without end are refused, and nothing is sent."""
    inner, selector = MADE.digest, "v1"
    for _ in range(5):
        body = _index(inner)
        inner = Digest.of(body)
        source.routes["GET", f"{stored.BASE}/manifests/{inner}"] = Answer(200, body)
    source.routes["GET", f"{stored.BASE}/manifests/{selector}"] = Answer(200, _index(inner))
    with pytest.raises(errors.Final) as caught:
        _copy(source, target)
    assert caught.value.reason == "BadManifest"
    assert target.seen == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (bytes(len(MADE.blobs[1].data)), "DigestMismatch"),
        (MADE.blobs[1].data + b"x", "TooLarge"),
        (b"", "DigestMismatch"),
    ],
)
def test_blob_that_is_another(source, target, body, reason):
    """A blob with other bytes than its digest says is not sent on, and no manifest is."""
    source.routes["GET", f"{stored.BASE}/blobs/{MADE.blobs[1].digest}"] = Answer(200, body)
    with pytest.raises(errors.Final) as caught:
        _copy(source, target)
    assert caught.value.reason == reason
    assert body not in [seen.body for seen in target.seen if seen.method == "PUT"]
    assert not any("/manifests/" in seen.path for seen in target.seen)


def test_blob_beyond_the_cap(source, target):
    """A blob beyond the cap is not asked for."""
    document = json.loads(MADE.manifest)
    document["layers"][0]["size"] = limits.MODULE_BYTES + 1
    source.routes["GET", f"{stored.BASE}/manifests/v1"] = Answer(200, json.dumps(document).encode())
    with pytest.raises(errors.Final) as caught:
        _copy(source, target)
    assert caught.value.reason == "TooLarge"
    assert source.asked("GET", f"{stored.BASE}/blobs/{MADE.blobs[1].digest}") == []


def test_target_with_another_digest(source, target):
    """A target that names another digest than the source's is bad input, and nothing is sent."""
    with pytest.raises(errors.Usage):
        _copy(source, target, f"@{Digest.of(b'')}")
    assert target.seen == []
