"""A hostile registry: ONE TABLE of attacks, each a few routes of a tiny server and what must come of it.

An attack is named by its key, which is also the tag (or the path of the object) that plays it. Bodies that
have no end are sent piece by piece, so that the server costs nothing.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import random
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from autowasm.digest import Digest
from autowasm.oci import artifact, layouts, manifest
from autowasm.oci.compression import zstd
from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer
from tests.unit.registry import stored

MIB: Final = 1 << 20
GIB: Final = 1 << 30
METADATA: Final = "http://169.254.169.254/latest/meta-data/iam"
Play = Callable[[tiny_server.Server, str], None]


@dataclass(frozen=True)
class Attack:
    """``sent``: in words. ``outcome``: the reason of the error, "pulled" where the module is to be had."""

    sent: str
    outcome: str
    play: Play
    of_object: bool = False


@contextlib.contextmanager
def serving() -> Iterator[tiny_server.Server]:
    """A registry that plays all attacks."""
    with tiny_server.serving() as server:
        for name, attack in ATTACKS.items():
            attack.play(server, name)
        yield server


# --------------------------------------------------------------------------- what is sent


def _layer(data: Callable[[], bytes], size: int | None = None) -> Play:
    """An image of one layer with these bytes, its descriptor true but perhaps for the size."""

    def play(server: tiny_server.Server, tag: str) -> None:
        body = data()
        blob = artifact.Blob.of(layouts.OCI_TAR_GZIP, body)
        server.routes["GET", f"{stored.BASE}/blobs/{blob.digest}"] = Answer(200, body)
        described = blob.descriptor() | ({"size": size} if size is not None else {})
        _manifest(server, tag, {"layers": [described]})

    return play


def _blob(answer: Callable[[str], Answer], size: int = 1000) -> Play:
    """An image of one layer of so many bytes, and how the blob is answered for."""

    def play(server: tiny_server.Server, tag: str) -> None:
        digest = Digest.of(tag.encode())
        path = f"{stored.BASE}/blobs/{digest}"
        server.routes["GET", path] = answer(path)
        layer = {"mediaType": layouts.OCI_TAR_GZIP, "digest": str(digest), "size": size}
        _manifest(server, tag, {"layers": [layer]})

    return play


def _manifest(server: tiny_server.Server, tag: str, members: dict[str, object]) -> None:
    config = artifact.Blob.of(artifact.IMAGE_CONFIG, b"{}").descriptor()
    document = {"schemaVersion": 2, "mediaType": manifest.OCI_MANIFEST, "config": config, **members}
    _raw(lambda _path: Answer(200, json.dumps(document).encode()))(server, tag)


def _raw(answer: Callable[[str], Answer]) -> Play:
    """How the manifest itself is answered for."""

    def play(server: tiny_server.Server, tag: str) -> None:
        path = f"{stored.BASE}/manifests/{tag}"
        server.routes["GET", path] = answer(path)

    return play


def _object(answer: Callable[[str], Answer]) -> Play:
    def play(server: tiny_server.Server, name: str) -> None:
        server.routes["GET", f"/{name}"] = answer(f"/{name}")

    return play


def _asked(challenge: Callable[[tiny_server.Server], str], token: Answer | None = None) -> Play:
    """A registry that wants credentials in these words."""

    def play(server: tiny_server.Server, tag: str) -> None:
        wanted = {"WWW-Authenticate": challenge(server)}
        _raw(lambda _path: Answer(401, headers=wanted))(server, tag)
        if token is not None:
            server.routes["GET", f"/token/{tag}"] = token

    return play


def _endless(header: bytes, piece: bytes, pause: float = 0.0) -> Answer:
    def stream() -> Iterator[bytes]:
        yield header
        for _ in itertools.count():
            yield piece
            time.sleep(pause)  # a server that drips

    return Answer(stream=stream)


def _to(location: str) -> Answer:
    return Answer(307, headers={"Location": location})


def _body(announced: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\n{announced}\r\n\r\n".encode()


UNTIL_CLOSED: Final = _body("Connection: close")
CHUNKED: Final = _body("Transfer-Encoding: chunked")
LONG: Final = _body("Content-Length: 99999999999999")


def _entry(name: str, size: int, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, link
    return info.tobuf(tarfile.GNU_FORMAT)


def _gzip_of(head: bytes, size: int, fill: bytes = bytes(MIB)) -> bytes:
    """Gzip of a head and of so many bytes more, made piece by piece."""
    return gzip.compress(head) + gzip.compress(fill, 9) * (size // len(fill))


def _zstd_of(head: bytes, size: int) -> bytes:
    return zstd.compress(head) + zstd.compress(bytes(64 * MIB)) * (size // (64 * MIB))


def _pax(number: int) -> bytes:
    """A pax header that says something new of the next entry, below the ratio."""
    said = random.Random(number).randbytes(400).hex().encode() + bytes(60_000)
    record = b"%d key%08d=%s\n"
    size = len(record % (60_000, number, said))
    return _entry("x", size, tarfile.XHDTYPE) + record % (size, number, said) + bytes(-size % 512)


def _nested(times: int) -> bytes:
    data = stored.MODULE
    for _ in range(times):
        data = gzip.compress(data)
    return data


def _window(log: int) -> bytes:
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: log})
    return compressor.compress(bytes(9 * MIB)) + compressor.flush()


def _good_tar(*before: bytes) -> bytes:
    module = _entry("plugin.wasm", len(stored.MODULE)) + stored.MODULE
    return b"".join(before) + module + bytes(-len(module) % 512 + 1024)


def _crumbs() -> bytes:
    return b'{"schemaVersion":2,"layers":[' + b"{}," * (1_390_000) + b"{}]}"


def _itself(server: tiny_server.Server, tag: str) -> None:
    """An index that lists a digest under which it is served again."""
    digest = Digest.of(b"itself")
    listed = {"mediaType": manifest.OCI_MANIFEST, "digest": str(digest), "size": 300}
    index = {"schemaVersion": 2, "mediaType": manifest.OCI_INDEX, "manifests": [listed]}
    for selector in (tag, str(digest)):
        _raw(lambda _path: Answer(200, json.dumps(index).encode()))(server, selector)


def _tower(server: tiny_server.Server, tag: str) -> None:
    """Indexes of which each lists the next one ten times, a hundred deep, and an image at their end."""
    good = artifact.image(stored.MODULE)
    stored.store(server, good, "deep-down")
    body, kind = good.manifest, manifest.OCI_MANIFEST
    for level in range(100):
        listed = {"mediaType": kind, "digest": str(Digest.of(body)), "size": len(body)}
        kind = manifest.OCI_INDEX
        index = {"schemaVersion": 2, "mediaType": kind, "manifests": [listed] * 10}
        body = json.dumps(index).encode()
        selector = tag if level == 99 else str(Digest.of(body))
        server.routes["GET", f"{stored.BASE}/manifests/{selector}"] = Answer(200, body)


def _thousand(server: tiny_server.Server, tag: str) -> None:
    """An index of a thousand images, none of which holds a module."""
    empty = artifact.binary(b"no module")
    stored.store(server, empty, "nothing")
    listed = {"mediaType": manifest.OCI_MANIFEST, "digest": str(empty.digest), "size": len(empty.manifest)}
    index = {"schemaVersion": 2, "mediaType": manifest.OCI_INDEX, "manifests": [listed] * 1000}
    _raw(lambda _path: Answer(200, json.dumps(index).encode()))(server, tag)


def _layers(count: int) -> Play:
    digest = str(Digest.of(b""))
    item = {"mediaType": layouts.OCI_TAR_GZIP, "digest": digest, "size": 1}
    return lambda server, tag: _manifest(server, tag, {"layers": [item] * count})


def _realm(path: str) -> Callable[[tiny_server.Server], str]:
    return lambda server: f'Bearer realm="{server.url}{path}",service="x"'


# --------------------------------------------------------------------------- the table

ATTACKS: Final[dict[str, Attack]] = {
    "gzip-bomb": Attack(
        "1 MiB of gzip that unpacks to 1 GiB",
        "TooLarge",
        _layer(lambda: _gzip_of(_entry("zeros", GIB), GIB)),
    ),
    "zstd-bomb": Attack(
        "1 MiB of zstd that unpacks to 10 GiB",
        "TooLarge",
        _layer(lambda: _zstd_of(_entry("zeros", 10 * GIB), 10 * GIB)),
    ),
    "module-bomb": Attack(
        "a plugin.wasm of 255 MiB of zeros in 256 KiB of gzip",
        "TooLarge",
        _layer(lambda: _gzip_of(_entry("plugin.wasm", 255 * MIB) + b"\0asm\1\0\0\0", 255 * MIB)),
    ),
    "slack-bomb": Attack(
        "6 MiB of gzip that unpacks to 800 MiB, below the ratio",
        "TooLarge",
        _layer(
            lambda: _gzip_of(
                _entry("zeros", GIB), 800 * MIB, random.Random(1).randbytes(6000) + bytes(MIB - 6000)
            )
        ),
    ),
    "nested-gzip": Attack("gzip in gzip, ten times", "NoModule", _layer(lambda: _nested(10))),
    "zstd-in-gzip": Attack(
        "a zstd bomb in gzip", "NoModule", _layer(lambda: gzip.compress(_zstd_of(b"x", GIB)))
    ),
    "zstd-window": Attack("zstd that wants 256 MiB of window", "NoModule", _layer(lambda: _window(28))),
    "gzip-members": Attack(
        "a million gzip members without content",
        "TooLarge",
        _layer(lambda: gzip.compress(_entry("zeros", GIB)) + gzip.compress(b"") * 1_000_000),
    ),
    "zstd-frames": Attack(
        "a million zstd frames to skip",
        "TooLarge",
        _layer(lambda: zstd.compress(_entry("zeros", GIB)) + b"\x50\x2a\x4d\x18\0\0\0\0" * 1_000_000),
    ),
    "tar-pax-many": Attack(
        "7,000 pax headers of 60 KiB for one entry",
        "NoModule",
        _layer(lambda: gzip.compress(b"".join(_pax(number) for number in range(7_000)))),
    ),
    "tar-size": Attack(
        "a tar header of 8 EiB", "TooLarge", _layer(lambda: gzip.compress(_entry("plugin.wasm", 1 << 63)))
    ),
    "tar-entries": Attack(
        "20,000 tar entries", "TooLarge", _layer(lambda: gzip.compress(_entry("x" * 9, 0) * 20_000))
    ),
    "tar-pax": Attack(
        "a pax header of 1 GiB",
        "TooLarge",
        _layer(lambda: _gzip_of(_entry("x", GIB, tarfile.XHDTYPE), GIB)),
    ),
    "tar-paths": Attack(
        "names out of the tar: ../../etc/passwd, /etc/shadow, then a module",
        "pulled",
        _layer(lambda: _good_tar(_entry("../../etc/passwd", 0), _entry("/etc/shadow", 0))),
    ),
    "tar-link": Attack(
        "plugin.wasm as a link to /etc/shadow",
        "NoModule",
        _layer(lambda: _entry("plugin.wasm", 0, tarfile.SYMTYPE, "/etc/shadow") + bytes(1024)),
    ),
    "long-length": Attack(
        "Content-Length of 90 TiB, then ten bytes and a cut",
        "Unreachable",
        _blob(lambda _path: Answer(stream=lambda: iter([LONG, b"ten bytes."]))),
    ),
    "longer-layer": Attack(
        "a layer of 1,000 bytes that does not end",
        "DigestMismatch",
        _blob(lambda _path: _endless(UNTIL_CLOSED, bytes(MIB))),
    ),
    "claimed-layer": Attack("a layer of 1 TiB", "TooLarge", _layer(lambda: b"", size=1 << 40)),
    "wrong-digest": Attack(
        "other bytes than the digest's", "DigestMismatch", _blob(lambda _path: Answer(200, bytes(1000)))
    ),
    "drip": Attack(
        "a layer, one byte every 50 ms",
        "Unreachable",
        _blob(lambda _path: _endless(LONG, b"x", 0.05)),
    ),
    "drip-header": Attack(
        "a header, one field every 50 ms",
        "Unreachable",
        _raw(lambda _path: _endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 0.05)),
    ),
    "chunks": Attack(
        "a layer in chunks of one byte",
        "Unreachable",
        _blob(lambda _path: _endless(CHUNKED, b"1\r\nx\r\n" * 1000), size=100 * MIB),
    ),
    "chunk-extension": Attack(
        "a chunk whose extension has no end",
        "Unreachable",
        _blob(lambda _path: _endless(CHUNKED + b"5;", b"a=b;" * 1000)),
    ),
    "endless-trailer": Attack(
        "a trailer without an end",
        "Unreachable",
        _blob(lambda _path: _endless(CHUNKED + b"1\r\nx\r\n0\r\n", b"X-Field: and one more\r\n" * 100)),
    ),
    "endless-interim": Attack(
        "interim answers without an end",
        "Unreachable",
        _raw(lambda _path: _endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)),
    ),
    "endless-header": Attack(
        "a header without an end",
        "Unreachable",
        _raw(lambda _path: _endless(b"HTTP/1.1 200 OK\r\n", b"X-Field: and one more\r\n" * 100)),
    ),
    "endless-manifest": Attack(
        "a manifest without an end", "TooLarge", _raw(lambda _path: _endless(UNTIL_CLOSED, b" " * MIB))
    ),
    "crumbs": Attack(
        "4 MiB of manifest, 1.4 million members", "TooLarge", _raw(lambda _path: Answer(200, _crumbs()))
    ),
    "deep": Attack(
        "a manifest nested 90,000 times", "BadManifest", _raw(lambda _path: Answer(200, b"[" * 90_000))
    ),
    "layers": Attack("10,000 layers", "TooLarge", _layers(10_000)),
    "two-readings": Attack(
        "a manifest that is an image and an index",
        "BadManifest",
        lambda server, tag: _manifest(server, tag, {"layers": [], "manifests": []}),
    ),
    "index-of-itself": Attack("an index that lists itself", "DigestMismatch", _itself),
    "index-of-indexes": Attack("indexes of indexes, a hundred deep, ten times each", "NoModule", _tower),
    "index-of-many": Attack("an index of 1,000 images without a module", "NoModule", _thousand),
    "redirect-loop": Attack("a redirect to itself", "Unreachable", _raw(_to)),
    "redirect-metadata": Attack(
        "a layer at a cloud's metadata address", "Refused", _blob(lambda _path: _to(METADATA))
    ),
    "redirect-file": Attack(
        "a layer at file:///etc/shadow", "Unreachable", _blob(lambda _path: _to("file:///etc/shadow"))
    ),
    "realm-metadata": Attack(
        "a token server at a cloud's metadata address",
        "Refused",
        _asked(lambda _server: f'Bearer realm="{METADATA}"'),
    ),
    "realm-redirect": Attack(
        "a token server that redirects to a metadata address",
        "Refused",
        _asked(_realm("/token/realm-redirect"), _to(METADATA)),
    ),
    "endless-token": Attack(
        "a token without an end",
        "TooLarge",
        _asked(_realm("/token/endless-token"), _endless(UNTIL_CLOSED, b" " * MIB)),
    ),
    "challenge": Attack(
        "a challenge of 60 KiB", "Unauthorized", _asked(lambda _server: "Basic " + "a=b," * 15_000)
    ),
    "endless-error": Attack(
        "an error page without an end",
        "RegistryFault",
        _raw(lambda _path: _endless(b"HTTP/1.1 500 No\r\nConnection: close\r\n\r\n", b"sorry " * 1000)),
    ),
    "retry-after": Attack(
        "wait for thirty years",
        "TooManyRequests",
        _raw(lambda _path: Answer(429, headers={"Retry-After": "999999999"})),
    ),
    "object-bomb": Attack(
        "an object: gzip that unpacks to 1 GiB",
        "TooLarge",
        _object(lambda _path: Answer(200, _gzip_of(_entry("zeros", GIB), GIB))),
        of_object=True,
    ),
    "object-endless": Attack(
        "an object without an end",
        "NoModule",
        _object(lambda _path: _endless(UNTIL_CLOSED, bytes(MIB))),
        of_object=True,
    ),
    "object-redirect": Attack(
        "an object at a cloud's metadata address",
        "Refused",
        _object(lambda _path: _to(METADATA)),
        of_object=True,
    ),
}
