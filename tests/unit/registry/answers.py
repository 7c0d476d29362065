"""Attacks by what is answered: documents, headers, redirects and challenges that lie, do not end, or lead astray."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Final

from autowasm.digest import Digest
from autowasm.oci import artifact, layouts, manifest
from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer
from tests.unit.registry import stored
from tests.unit.registry.plays import (
    CHUNKED,
    LONG,
    METADATA,
    MIB,
    TWO_WAYS,
    UNTIL_CLOSED,
    Attack,
    Play,
    asked,
    blob,
    endless,
    file,
    head,
    manifest_of,
    raw,
    to,
)


def _crumbs() -> bytes:
    return b'{"schemaVersion":2,"layers":[' + b"{}," * (1_390_000) + b"{}]}"


def _itself(server: tiny_server.Server, tag: str) -> None:
    """An index that lists a digest under which it is served again."""
    digest = Digest.of(b"itself")
    listed = {"mediaType": manifest.OCI_MANIFEST, "digest": str(digest), "size": 300}
    index = {"schemaVersion": 2, "mediaType": manifest.OCI_INDEX, "manifests": [listed]}
    for selector in (tag, str(digest)):
        raw(lambda _path: Answer(200, json.dumps(index).encode()))(server, selector)


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
    raw(lambda _path: Answer(200, json.dumps(index).encode()))(server, tag)


def _layers(count: int) -> Play:
    digest = str(Digest.of(b""))
    item = {"mediaType": layouts.OCI_TAR_GZIP, "digest": digest, "size": 1}
    return lambda server, tag: manifest_of(server, tag, {"layers": [item] * count})


def _chain(server: tiny_server.Server, tag: str) -> None:
    """A hundred redirects, each to the next; at their end is a manifest that would do."""
    place = [f"{stored.BASE}/manifests/{tag}", *(f"/{tag}/{number}" for number in range(100))]
    for here, there in itertools.pairwise(place):
        server.routes["GET", here] = to(there)
    made = artifact.image(stored.MODULE)
    stored.store(server, made, "at-the-end")
    server.routes["GET", place[-1]] = Answer(200, made.manifest)


def _realm(path: str) -> Callable[[tiny_server.Server], str]:
    return lambda server: f'Bearer realm="{server.url}{path}",service="x"'


ATTACKS: Final[dict[str, Attack]] = {
    "long-length": Attack(
        "Content-Length of 90 TiB, then ten bytes and a cut",
        "Unreachable",
        blob(lambda _path: Answer(stream=lambda: iter([LONG, b"ten bytes."]))),
    ),
    "short-length": Attack(
        "Content-Length of 10 for a layer of 1,000 bytes",
        "DigestMismatch",
        blob(lambda _path: Answer(200, bytes(1000), {"Content-Length": "10"})),
    ),
    "two-lengths": Attack(
        "two values of Content-Length",
        "Unreachable",
        blob(
            lambda _path: Answer(
                stream=lambda: iter([head("Content-Length: 9\r\nContent-Length: 1000"), bytes(1000)])
            )
        ),
    ),
    "length-and-chunks": Attack(
        "Content-Length of 5 and chunks beside it",
        "DigestMismatch",
        blob(
            lambda _path: Answer(stream=lambda: iter([TWO_WAYS, b"3e8\r\n" + bytes(1000) + b"\r\n0\r\n\r\n"]))
        ),
    ),
    "longer-layer": Attack(
        "a layer of 1,000 bytes that does not end",
        "DigestMismatch",
        blob(lambda _path: endless(UNTIL_CLOSED, bytes(MIB))),
    ),
    "wrong-digest": Attack(
        "other bytes than the digest's", "DigestMismatch", blob(lambda _path: Answer(200, bytes(1000)))
    ),
    "drip": Attack(
        "a layer, one byte every 50 ms",
        "Unreachable",
        blob(lambda _path: endless(LONG, b"x", 0.05)),
    ),
    "drip-header": Attack(
        "a header, one field every 50 ms",
        "Unreachable",
        raw(lambda _path: endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 0.05)),
    ),
    "chunks": Attack(
        "a layer in chunks of one byte",
        "Unreachable",
        blob(lambda _path: endless(CHUNKED, b"1\r\nx\r\n" * 1000), size=100 * MIB),
    ),
    "chunk-extension": Attack(
        "a chunk whose extension has no end",
        "Unreachable",
        blob(lambda _path: endless(CHUNKED + b"5;", b"a=b;" * 1000)),
    ),
    "endless-trailer": Attack(
        "a trailer without an end",
        "Unreachable",
        blob(lambda _path: endless(CHUNKED + b"1\r\nx\r\n0\r\n", b"X-Field: and one more\r\n" * 100)),
    ),
    "endless-interim": Attack(
        "interim answers without an end",
        "Unreachable",
        raw(lambda _path: endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)),
    ),
    "endless-header": Attack(
        "a header without an end",
        "Unreachable",
        raw(lambda _path: endless(b"HTTP/1.1 200 OK\r\n", b"X-Field: and one more\r\n" * 100)),
    ),
    "long-field": Attack(
        "one field of a header, 100 MiB long",
        "Unreachable",
        raw(
            lambda _path: Answer(
                stream=lambda: itertools.chain([b"HTTP/1.1 200 OK\r\nX: "], [b"x" * MIB] * 100)
            )
        ),
    ),
    "endless-manifest": Attack(
        "a manifest without an end", "TooLarge", raw(lambda _path: endless(UNTIL_CLOSED, b" " * MIB))
    ),
    "crumbs": Attack(
        "4 MiB of manifest, 1.4 million members", "TooLarge", raw(lambda _path: Answer(200, _crumbs()))
    ),
    "deep": Attack(
        "a manifest nested 90,000 times", "BadManifest", raw(lambda _path: Answer(200, b"[" * 90_000))
    ),
    "layers": Attack("10,000 layers", "TooLarge", _layers(10_000)),
    "two-readings": Attack(
        "a manifest that is an image and an index",
        "BadManifest",
        lambda server, tag: manifest_of(server, tag, {"layers": [], "manifests": []}),
    ),
    "index-of-itself": Attack("an index that lists itself", "DigestMismatch", _itself),
    "index-of-indexes": Attack("indexes of indexes, a hundred deep, ten times each", "NoModule", _tower),
    "index-of-many": Attack("an index of 1,000 images without a module", "NoModule", _thousand),
    "redirect-loop": Attack("a redirect to itself", "Unreachable", raw(to)),
    "redirect-chain": Attack("redirects without an end, each to another place", "Unreachable", _chain),
    "redirect-metadata": Attack(
        "a layer at a cloud's metadata address", "Refused", blob(lambda _path: to(METADATA))
    ),
    "redirect-file": Attack(
        "a layer at file:///etc/shadow", "Unreachable", blob(lambda _path: to("file:///etc/shadow"))
    ),
    "rebound": Attack(
        "a layer at a name that has become a metadata address",
        "Refused",
        blob(lambda _path: to("http://metadata.example/iam")),
    ),
    "rebound-here": Attack(
        "a layer at a name that has become the reader's own host",
        "Refused",
        lambda server, tag: blob(lambda _path: to(f"http://here.example:{server.host.partition(':')[2]}/"))(
            server, tag
        ),
    ),
    "realm-rebound": Attack(
        "a token server at a name that has become a metadata address",
        "Refused",
        asked(lambda _server: 'Bearer realm="http://metadata.example/iam"'),
    ),
    "realm-metadata": Attack(
        "a token server at a cloud's metadata address",
        "Refused",
        asked(lambda _server: f'Bearer realm="{METADATA}"'),
    ),
    "realm-redirect": Attack(
        "a token server that redirects to a metadata address",
        "Refused",
        asked(_realm("/token/realm-redirect"), to(METADATA)),
    ),
    "endless-token": Attack(
        "a token without an end",
        "TooLarge",
        asked(_realm("/token/endless-token"), endless(UNTIL_CLOSED, b" " * MIB)),
    ),
    "challenge": Attack(
        "a challenge of 60 KiB", "Unauthorized", asked(lambda _server: "Basic " + "a=b," * 15_000)
    ),
    "endless-error": Attack(
        "an error page without an end",
        "RegistryFault",
        raw(lambda _path: endless(b"HTTP/1.1 500 No\r\nConnection: close\r\n\r\n", b"sorry " * 1000)),
    ),
    "retry-after": Attack(
        "wait for thirty years",
        "TooManyRequests",
        raw(lambda _path: Answer(429, headers={"Retry-After": "999999999"})),
    ),
    "object-endless": Attack(
        "an object without an end",
        "NoModule",
        file(lambda _path: endless(UNTIL_CLOSED, bytes(MIB))),
        of_object=True,
    ),
    "object-redirect": Attack(
        "an object at a cloud's metadata address",
        "Refused",
        file(lambda _path: to(METADATA)),
        of_object=True,
    ),
}
