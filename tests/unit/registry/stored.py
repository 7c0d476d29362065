"""A module as a tiny server's routes, as a registry would have it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from autowasm.net import retry, session
from autowasm.oci import artifact
from autowasm.oci.reference import Reference
from autowasm.registry import client
from tests.unit.net import tiny_server

T = TypeVar("T")

MODULE = b"\0asm\1\0\0\0" + b"x" * 2000
QUICK = retry.Patience(tries=3, base=0.0, ceiling=1.0)
BASE = "/v2/team/app"


def store(server: tiny_server.Server, made: artifact.Artifact, tag: str = "v1") -> None:
    """Have the server answer for an artifact, by tag and by digest."""
    headers = {"Content-Type": made.media_type, "Docker-Content-Digest": str(made.digest)}
    answer = tiny_server.Answer(200, made.manifest, headers)
    for selector in (tag, str(made.digest)):
        for method in ("GET", "HEAD"):
            server.routes[method, f"{BASE}/manifests/{selector}"] = answer
    for blob in made.blobs:
        server.routes["GET", f"{BASE}/blobs/{blob.digest}"] = tiny_server.Answer(200, blob.data)


def reference(server: tiny_server.Server, rest: str = ":v1") -> Reference:
    """A reference to the repository on the server."""
    return Reference.parse(f"{server.host}/team/app{rest}")


def run(use: Callable[[client.Registry], Awaitable[T]]) -> T:
    """Use a registry client that does not wait between its tries."""

    async def main() -> T:
        async with session.client(timeout=5) as http:
            return await use(client.Registry(http, patience=QUICK))

    return asyncio.run(main())
