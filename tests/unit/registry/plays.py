"""What an attack is, and the ways to play one: routes of a tiny server that answer for an image, a layer, a token.

Bodies that have no end are sent piece by piece, so that the server costs nothing.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from autowasm.digest import Digest
from autowasm.oci import artifact, layouts, manifest
from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer
from tests.unit.registry import stored

MIB: Final = 1 << 20
GIB: Final = 1 << 30
METADATA: Final = "http://169.254.169.254/latest/meta-data/iam"
NAMES: Final = {"metadata.example": "169.254.169.254", "here.example": "127.0.0.1"}
"""What the victim's resolver says of names: as after a rebinding, when their owner has changed what they stand for."""
Play = Callable[[tiny_server.Server, str], None]


@dataclass(frozen=True)
class Attack:
    """``sent``: in words. ``outcome``: the reason of the error, "pulled" where the module is to be had."""

    sent: str
    outcome: str
    play: Play
    of_object: bool = False


def layer(data: Callable[[], bytes], size: int | None = None) -> Play:
    """An image of one layer with these bytes, its descriptor true but perhaps for the size."""

    def play(server: tiny_server.Server, tag: str) -> None:
        body = data()
        blob = artifact.Blob.of(layouts.OCI_TAR_GZIP, body)
        server.routes["GET", f"{stored.BASE}/blobs/{blob.digest}"] = Answer(200, body)
        described = blob.descriptor() | ({"size": size} if size is not None else {})
        manifest_of(server, tag, {"layers": [described]})

    return play


def blob(answer: Callable[[str], Answer], size: int = 1000) -> Play:
    """An image of one layer of so many bytes, and how the blob is answered for."""

    def play(server: tiny_server.Server, tag: str) -> None:
        digest = Digest.of(tag.encode())
        path = f"{stored.BASE}/blobs/{digest}"
        server.routes["GET", path] = answer(path)
        layer = {"mediaType": layouts.OCI_TAR_GZIP, "digest": str(digest), "size": size}
        manifest_of(server, tag, {"layers": [layer]})

    return play


def manifest_of(server: tiny_server.Server, tag: str, members: dict[str, object]) -> None:
    """Have the server answer for a manifest with these members."""
    config = artifact.Blob.of(artifact.IMAGE_CONFIG, b"{}").descriptor()
    document = {"schemaVersion": 2, "mediaType": manifest.OCI_MANIFEST, "config": config, **members}
    raw(lambda _path: Answer(200, json.dumps(document).encode()))(server, tag)


def raw(answer: Callable[[str], Answer]) -> Play:
    """How the manifest itself is answered for."""

    def play(server: tiny_server.Server, tag: str) -> None:
        path = f"{stored.BASE}/manifests/{tag}"
        server.routes["GET", path] = answer(path)

    return play


def file(answer: Callable[[str], Answer]) -> Play:
    """How an object is answered for."""

    def play(server: tiny_server.Server, name: str) -> None:
        server.routes["GET", f"/{name}"] = answer(f"/{name}")

    return play


def asked(challenge: Callable[[tiny_server.Server], str], token: Answer | None = None) -> Play:
    """A registry that wants credentials in these words."""

    def play(server: tiny_server.Server, tag: str) -> None:
        wanted = {"WWW-Authenticate": challenge(server)}
        raw(lambda _path: Answer(401, headers=wanted))(server, tag)
        if token is not None:
            server.routes["GET", f"/token/{tag}"] = token

    return play


def endless(header: bytes, piece: bytes, pause: float = 0.0) -> Answer:
    """A header, and then a piece again and again, with pauses in seconds."""

    def stream() -> Iterator[bytes]:
        yield header
        for _ in itertools.count():
            yield piece
            time.sleep(pause)  # a server that drips

    return Answer(stream=stream)


def to(location: str) -> Answer:
    """A redirect."""
    return Answer(307, headers={"Location": location})


def head(announced: str) -> bytes:
    """The header of an answer with these fields."""
    return f"HTTP/1.1 200 OK\r\n{announced}\r\n\r\n".encode()


UNTIL_CLOSED: Final = head("Connection: close")
CHUNKED: Final = head("Transfer-Encoding: chunked")
LONG: Final = head("Content-Length: 99999999999999")
TWO_WAYS: Final = head("Content-Length: 5\r\nTransfer-Encoding: chunked")
