"""Modules from plain URLs: their forms, their faults, their redirects."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from autowasm import errors
from autowasm.net import session
from autowasm.oci import artifact
from autowasm.registry import objects
from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer
from tests.unit.registry import stored


@pytest.fixture
def server():
    """A server of objects."""
    with tiny_server.serving() as running:
        yield running


def _fetch(url: str) -> bytes:
    async def main() -> bytes:
        async with session.client(timeout=5) as http:
            return await objects.fetch(http, url, stored.QUICK)

    return asyncio.run(main())


@pytest.mark.parametrize(
    "body",
    [stored.MODULE, gzip.compress(stored.MODULE), artifact.image(stored.MODULE).blobs[1].data],
    ids=["wasm", "gzip", "tar+gzip"],
)
def test_forms(server, body):
    """The bare module, gzip and a tar of it all give the module, whatever their type is called."""
    headers = {"Content-Type": "text/plain", "Content-Encoding": "gzip"}
    server.routes["GET", "/m"] = Answer(200, body, headers)
    assert _fetch(f"{server.url}/m?signature=x") == stored.MODULE
    assert server.seen[0].path == "/m?signature=x"


def test_redirects(server):
    """Redirects are followed, but not for ever."""
    server.routes["GET", "/a"] = Answer(302, headers={"Location": "/m"})
    server.routes["GET", "/m"] = Answer(200, stored.MODULE)
    assert _fetch(f"{server.url}/a") == stored.MODULE
    server.routes["GET", "/loop"] = Answer(302, headers={"Location": "/loop"})
    with pytest.raises(errors.Final) as caught:
        _fetch(f"{server.url}/loop")
    assert "too many redirects" in caught.value.message


def test_retried(server):
    """A server's own fault and a connection cut in the middle are tried again."""
    server.routes["GET", "/m"] = [Answer(503), Answer(200, stored.MODULE, cut=9), Answer(200, stored.MODULE)]
    assert _fetch(f"{server.url}/m") == stored.MODULE


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (Answer(404), errors.Final, "NotFound"),
        (Answer(403, b"<Error><Code>AccessDenied</Code></Error>"), errors.Final, "Forbidden"),
        (Answer(500), errors.Retry, "ObjectFault"),
        (Answer(204), errors.Final, "Refused"),
        (Answer(200, b"<html>"), errors.Final, "NoModule"),
        (Answer(200, gzip.compress(stored.MODULE)[:-1]), errors.Final, "NoModule"),
        (Answer(200), errors.Final, "NoModule"),
    ],
)
def test_refused(server, answer, kind, reason):
    """What is no module is refused under its reason, of the side of the object, without the URL's query."""
    server.routes["GET", "/m"] = answer
    with pytest.raises(kind) as caught:
        _fetch(f"{server.url}/m?signature=hidden")
    assert (caught.value.side, caught.value.reason) == ("object", reason)
    assert "/m" in caught.value.message
    assert "hidden" not in caught.value.message


@pytest.mark.parametrize(
    "url", ["", "m", "ftp://x/y", "file:///etc/passwd", "http://", "http://x:y", "https:///x"]
)
def test_bad_url(url):
    """What is no http URL is refused before anything is asked."""
    with pytest.raises(errors.Final) as caught:
        _fetch(url)
    assert (caught.value.side, caught.value.reason) == ("object", "BadURL")
