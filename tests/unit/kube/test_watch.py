"""What a watch does about an API server that refuses: a tiny HTTP server stands for it."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
import time

import pytest

from autowasm.kube import connection, kinds, watch


class ApiServer(http.server.ThreadingHTTPServer):
    """Refuses the first lists with 429 and a wait in seconds, then answers that there is nothing."""

    def __init__(self, refusals: int, after: str) -> None:
        self.refusals, self.after = refusals, after
        self.asked: list[float] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        """Answer a list; a watch ends at once."""
        server = self.server
        if "watch=true" in self.path:
            return self._answer(200, b"")
        server.asked.append(time.monotonic())
        if len(server.asked) <= server.refusals:
            return self._answer(429, json.dumps({"kind": "Status", "code": 429, "message": "busy"}).encode())
        empty = {"kind": "List", "metadata": {"resourceVersion": "1"}, "items": []}
        return self._answer(200, json.dumps(empty).encode())

    def _answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", self.server.after)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def apiserver():
    """One that refuses once, and asks for a second of patience."""
    with ApiServer(1, "1") as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_wait_that_was_asked_for_is_kept(apiserver, tmp_path):
    """A list that is refused with a Retry-After is not repeated before that time, however short the own wait is."""
    file = tmp_path / "config"
    entry = {"server": f"http://127.0.0.1:{apiserver.server_port}"}
    config = {
        "current-context": "a",
        "clusters": [{"name": "c", "cluster": entry}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
    }
    file.write_text(json.dumps(config))

    async def scene() -> None:
        async with connection.connect(file) as client:
            followed = watch.Watch(client, kinds.AutoWasm, watch.Pace(backoff=0.01))

            async def follow() -> None:
                async for _ in followed.changes():
                    pass

            task = asyncio.create_task(follow())
            async with asyncio.timeout(20):
                await followed.synced.wait()
            task.cancel()
            await asyncio.wait({task})

    asyncio.run(scene())
    first, second = apiserver.asked[:2]
    assert second - first >= 0.99
