"""The module of an index: which of its images is taken, how deep one looks, and how often one asks."""

from __future__ import annotations

import json

import pytest

from autowasm import errors, limits
from autowasm.digest import Digest
from autowasm.oci import artifact, manifest
from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer
from tests.unit.registry import stored

MADE = artifact.image(stored.MODULE)
EMPTY = artifact.cncf(b"no module")


@pytest.fixture
def server():
    """A server that has an image with a module and one without, by digest."""
    with tiny_server.serving() as running:
        stored.store(running, MADE, "image")
        stored.store(running, EMPTY, "empty")
        yield running


def _index(server: tiny_server.Server, *listed: tuple[str, Digest], tag: str = "") -> tuple[str, Digest]:
    """Serve an index of (media type, digest), under a tag where one is given; returns the same of itself."""
    items = [{"mediaType": kind, "digest": str(digest), "size": 1} for kind, digest in listed]
    document = {"schemaVersion": 2, "mediaType": manifest.OCI_INDEX, "manifests": items}
    body = json.dumps(document).encode()
    for selector in filter(None, (tag, str(Digest.of(body)))):
        server.routes["GET", f"{stored.BASE}/manifests/{selector}"] = Answer(200, body)
    return manifest.OCI_INDEX, Digest.of(body)


IMAGE = (manifest.OCI_MANIFEST, MADE.digest)
NOTHING = (manifest.OCI_MANIFEST, EMPTY.digest)


def _pull(server: tiny_server.Server) -> bytes:
    return stored.run(lambda registry: registry.pull(stored.reference(server), None)).module


def _manifests(server: tiny_server.Server) -> int:
    return sum("/manifests/" in seen.path for seen in server.seen)


def test_nested(server):
    """An index may list indexes, as collections of images do; the digest is that of the outermost one."""
    top = _index(server, _index(server, NOTHING), _index(server, IMAGE), tag="v1")
    pulled = stored.run(lambda registry: registry.pull(stored.reference(server), None))
    assert (pulled.module, pulled.manifest, pulled.layout) == (stored.MODULE, top[1], "oci-image")


def test_images_before_indexes(server):
    """Images are tried before nested indexes, wherever those stand in the list."""
    nested = _index(server, NOTHING)
    _index(server, nested, IMAGE, tag="v1")
    assert _pull(server) == stored.MODULE
    assert server.asked("GET", f"{stored.BASE}/manifests/{nested[1]}") == []


@pytest.mark.parametrize("deeper", [0, 1])
def test_depth(server, deeper):
    """A module as deep as indexes may nest is found, one level deeper it is not, and the error says so."""
    inner = IMAGE
    for _ in range(limits.INDEX_DEPTH + deeper):
        inner = _index(server, inner)
    _index(server, inner, tag="v1")
    if not deeper:
        assert _pull(server) == stored.MODULE
        return
    with pytest.raises(errors.Final) as caught:
        _pull(server)
    assert caught.value.reason == "NoModule"


def test_tries(server):
    """However indexes are spread, no more manifests are asked for than the cap says."""
    wide = [_index(server, *[NOTHING] * (4 + number)) for number in range(3)]
    _index(server, *wide, IMAGE, tag="v1")
    assert _pull(server) == stored.MODULE  # images come first
    server.seen.clear()
    _index(server, *wide, _index(server, IMAGE), tag="v1")
    with pytest.raises(errors.Final) as caught:
        _pull(server)
    assert caught.value.reason == "NoModule"
    assert _manifests(server) == 1 + limits.INDEX_TRIES


def test_fault_is_no_lack(server):
    """An image of an index that cannot be had ends the search: another one may be another module."""
    gone = (manifest.OCI_MANIFEST, Digest.of(b"gone"))
    _index(server, _index(server, gone), _index(server, IMAGE), tag="v1")
    with pytest.raises(errors.Final) as caught:
        _pull(server)
    assert caught.value.reason == "NotFound"
