"""Modules from plain URLs: their forms, their faults, their redirects."""

from __future__ import annotations

import asyncio
import gzip
import random

import pytest

from autowasm import errors
from autowasm.digest import Digest
from autowasm.net import session
from autowasm.oci import artifact
from autowasm.registry import objects
from tests.unit.net import tiny_server, tls
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


NOISE = b"\0asm\1\0\0\0" + random.Random(6).randbytes(400_000)
PART = 150_000


def _ranged(seen: tiny_server.Seen, version: str = '"v1"', data: bytes = NOISE) -> Answer:
    """The rest that was asked for, if it is of this version, cut after a part."""
    same = "if-range" not in seen.headers or seen.headers["if-range"] == version
    at = int(seen.headers.get("range", "bytes=0-")[6:-1]) if same else 0
    where = {"Content-Range": f"bytes {at}-{len(data) - 1}/{len(data)}"} if at else {}
    return Answer(206 if at else 200, data[at:], where | ({"ETag": version} if version else {}), cut=PART)


def _asked(server) -> list[str | None]:
    return [seen.headers.get("range") for seen in server.asked("GET", "/m")]


def test_goes_on(server):
    """After a cut the rest of the same version alone is asked for; tries that bring bytes are not counted."""
    server.routes["GET", "/m"] = _ranged
    assert _fetch(f"{server.url}/m") == NOISE
    assert _asked(server) == [None, f"bytes={PART}-", f"bytes={2 * PART}-"]
    assert [seen.headers.get("if-range") for seen in server.seen] == [None, '"v1"', '"v1"']


def test_pinned_goes_on(server):
    """Where the URL pins the bytes, the rest is asked for also of a server that names no version."""
    server.routes["GET", "/m"] = lambda seen: _ranged(seen, "")
    assert _fetch(f"{server.url}/m#sha256={Digest.of(NOISE).hex}") == NOISE
    assert _asked(server) == [None, f"bytes={PART}-", f"bytes={2 * PART}-"]


@pytest.mark.parametrize("version", ["", 'W/"v1"'])
def test_unnamed_version_begins_anew(server, version):
    """Without a name for the very bytes nothing says that a rest belongs to them: it is begun anew."""
    headers = {"ETag": version} if version else {}
    server.routes["GET", "/m"] = [Answer(200, NOISE, headers, cut=PART), Answer(200, NOISE, headers)]
    assert _fetch(f"{server.url}/m") == NOISE
    assert _asked(server) == [None, None]


def test_another_version_in_between(server):
    """A version that changes between two parts is read from its beginning, and is what the validators name."""
    newer = NOISE[:8] + bytes(len(NOISE))

    def answer(seen: tiny_server.Seen) -> Answer:
        return _ranged(seen) if len(server.seen) == 1 else _ranged(seen, '"v2"', newer)

    server.routes["GET", "/m"] = answer
    found = _refresh(f"{server.url}/m", objects.Validators('"v0"'))
    assert found == objects.Fetched(newer, objects.Validators('"v2"'))


def test_rest_of_something_else(server):
    """A rest that begins elsewhere than was asked is refused."""
    wrong = Answer(206, NOISE[5:], {"Content-Range": f"bytes 5-{len(NOISE) - 1}/{len(NOISE)}"})
    server.routes["GET", "/m"] = lambda seen: wrong if "range" in seen.headers else _ranged(seen)
    with pytest.raises(errors.Final) as caught:
        _fetch(f"{server.url}/m")
    assert (caught.value.side, caught.value.reason) == ("object", "DigestMismatch")
    assert f"must go on at byte {PART}" in caught.value.message


def test_cut_without_end(server):
    """A server that always cuts in the same place and sends the whole each time is tried as often as any other."""
    server.routes["GET", "/m"] = Answer(200, NOISE, {"ETag": '"v1"'}, cut=PART)
    with pytest.raises(errors.Retry) as caught:
        _fetch(f"{server.url}/m")
    assert caught.value.message.endswith("tried 3 times")
    assert len(server.seen) <= 4


def test_part_that_was_not_asked_for(server):
    """A part in answer to a request for the whole is refused."""
    server.routes["GET", "/m"] = Answer(
        206, NOISE, {"Content-Range": f"bytes 0-{len(NOISE) - 1}/{len(NOISE)}"}
    )
    with pytest.raises(errors.Final) as caught:
        _fetch(f"{server.url}/m")
    assert caught.value.reason == "Refused"


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


PACKED = gzip.compress(stored.MODULE, mtime=0)


@pytest.mark.parametrize("data", [stored.MODULE, PACKED], ids=["wasm", "gzip"])
def test_pin(server, data):
    """A URL may pin the bytes that it stands for; what is not them is refused, and the pin is not sent."""
    server.routes["GET", "/m"] = Answer(200, data)
    assert _fetch(f"{server.url}/m#sha256={Digest.of(data).hex}") == stored.MODULE
    assert server.seen[0].path == "/m"
    with pytest.raises(errors.Final) as caught:
        _fetch(f"{server.url}/m#sha256={Digest.of(b'other').hex}")
    assert (caught.value.side, caught.value.reason) == ("object", "DigestMismatch")
    assert str(Digest.of(data)) in caught.value.message


def test_other_fragment(server):
    """A fragment that is no pin is none of ours."""
    server.routes["GET", "/m"] = Answer(200, stored.MODULE)
    assert _fetch(f"{server.url}/m#top") == stored.MODULE


def _refresh(url: str, known: objects.Validators) -> objects.Fetched | None:
    async def main() -> objects.Fetched | None:
        async with session.client(timeout=5) as http:
            return await objects.refresh(http, url, known, stored.QUICK)

    return asyncio.run(main())


def test_revalidation(server):
    """A version that is known is asked about, and fetched only where there is another one."""
    validators = {"ETag": '"v1"', "Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}

    def answer(seen: tiny_server.Seen) -> Answer:
        same = seen.headers.get("if-none-match") == '"v1"'
        return Answer(304, headers=validators) if same else Answer(200, stored.MODULE, validators)

    server.routes["GET", "/m"] = answer
    first = _refresh(f"{server.url}/m", objects.NONE)
    assert first == objects.Fetched(stored.MODULE, objects.Validators('"v1"', validators["Last-Modified"]))
    assert _refresh(f"{server.url}/m", first.validators) is None
    assert server.seen[1].headers["if-modified-since"] == validators["Last-Modified"]
    again = _refresh(f"{server.url}/m", objects.Validators('"v0"'))
    assert again == first


def test_validators_beyond_measure(server):
    """A validator of a length that no server needs is not kept."""
    server.routes["GET", "/m"] = Answer(200, stored.MODULE, {"ETag": "x" * 2000})
    found = _refresh(f"{server.url}/m", objects.NONE)
    assert found == objects.Fetched(stored.MODULE, objects.NONE)


def test_nothing_is_the_same_as_nothing(server):
    """A server that says "not modified" to somebody who knows no version is refused."""
    server.routes["GET", "/m"] = Answer(304)
    with pytest.raises(errors.Final) as caught:
        _fetch(f"{server.url}/m")
    assert caught.value.reason == "Refused"


@pytest.mark.parametrize("pinned", [False, True])
def test_tls_does_not_end_on_the_way(server, tmp_path, pinned):
    """From https an object is not led to http, unless its URL pins its bytes."""
    identity = tls.identity(tmp_path)
    server.routes["GET", "/m"] = Answer(200, stored.MODULE)
    pin = f"#sha256={Digest.of(stored.MODULE).hex}" if pinned else ""

    async def main(url: str) -> bytes:
        async with session.client(timeout=5, ca_file=identity.authority) as http:
            return await objects.fetch(http, url, stored.QUICK)

    with tiny_server.serving(identity.context) as secure:
        secure.routes["GET", "/m"] = Answer(302, headers={"Location": f"{server.url}/m"})
        if pinned:
            assert asyncio.run(main(f"{secure.url}/m{pin}")) == stored.MODULE
            return
        with pytest.raises(errors.Final) as caught:
            asyncio.run(main(f"{secure.url}/m"))
    assert caught.value.reason == "Refused"
    assert "must lead to https alone" in caught.value.message


@pytest.mark.parametrize("pin", ["", "abc", "A" * 64, "g" * 64, "0" * 65])
def test_bad_pin(pin):
    """A pin that is no digest is refused before anything is asked."""
    with pytest.raises(errors.Final) as caught:
        _fetch(f"http://127.0.0.1:1/m#sha256={pin}")
    assert caught.value.reason == "BadURL"


@pytest.mark.parametrize(
    "url", ["", "m", "ftp://x/y", "file:///etc/passwd", "http://", "http://x:y", "https:///x"]
)
def test_bad_url(url):
    """What is no http URL is refused before anything is asked."""
    with pytest.raises(errors.Final) as caught:
        _fetch(url)
    assert (caught.value.side, caught.value.reason) == ("object", "BadURL")
