"""Answers of an API server as the client gets them: compressed, in pieces, and nested without end."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from autowasm.kube import connection, kinds
from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer

PATH = "/apis/wasm.tcm.io/v1alpha1/autowasms"
DEEP = "[" * 3000 + "]" * 3000


def _object(name: str, version: int) -> str:
    found = {"metadata": {"name": name, "namespace": "n", "resourceVersion": str(version)}, "deep": "DEEP"}
    return json.dumps(found).replace('"DEEP"', DEEP)


def _client(folder: Path, server: tiny_server.Server):
    config = {
        "current-context": "a",
        "clusters": [{"name": "c", "cluster": {"server": server.url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
    }
    (folder / "config").write_text(json.dumps(config))
    return connection.connect(folder / "config")


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_list(tmp_path, encoding):
    """Every object of a list is there, with what is nested too deep cut out, compressed or not."""
    body = f'{{"metadata": {{"resourceVersion": "7"}}, "items": [{_object("a", 5)}, {_object("b", 6)}]}}'.encode()
    answer = Answer(
        200,
        gzip.compress(body) if encoding else body,
        {"Content-Type": "application/json"} | ({"Content-Encoding": encoding} if encoding else {}),
    )

    async def scene(server: tiny_server.Server) -> list[str]:
        async with _client(tmp_path, server) as client:
            return [obj["metadata"]["name"] async for obj in client.list(kinds.AutoWasm, namespace="*")]

    with tiny_server.serving() as server:
        server.routes["GET", PATH] = answer
        assert asyncio.run(scene(server)) == ["a", "b"]


def test_a_watch(tmp_path):
    """Every line of a watch is an event, however it is cut into pieces."""
    lines = "".join(
        f'{{"type": "ADDED", "object": {_object(name, number)}}}\n' for number, name in enumerate("abc", 1)
    ).encode()

    def stream() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
        for at in range(0, len(lines), 1000):
            yield lines[at : at + 1000]

    async def scene(server: tiny_server.Server) -> list[str]:
        found: list[str] = []
        async with _client(tmp_path, server) as client:
            async for _, obj in client.watch(kinds.AutoWasm, namespace="*", on_error=lambda *_: None):
                found.append(obj["metadata"]["name"])
                if len(found) == 3:
                    break
        return found

    with tiny_server.serving() as server:
        server.routes["GET", PATH] = Answer(stream=stream)
        assert asyncio.run(scene(server)) == ["a", "b", "c"]
