"""Real HTTP servers on loopback, in threads: wasmer itself, and what stands in for a controller."""

import asyncio
import contextlib
import socket
import threading

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from autowasm.net import places
from autowasm.store import blobs
from autowasm.wasmer import fill, run


class Controller:
    """Answers GET /blobs/<hex> from ``modules`` to who shows ``token``, or always with ``status``."""

    def __init__(self):
        self.modules = {}
        self.token = "right"
        self.status = 0
        self.location = ""
        self.asked = []
        self.arrived = threading.Event()
        self.go = threading.Event()
        self.go.set()
        self.url = ""
        self.tellings = []
        self.records = []
        self.told = threading.Event()
        self.refused = None

    @property
    def app(self):
        """What answers."""
        fetches = Route("/fetches", self._fetches, methods=["POST"])
        return Starlette(routes=[Route("/blobs/{digest}", self._blob), fetches])

    async def _fetches(self, request):
        # As the contract has it: what is missing is asked for once.
        if self.status or request.headers.get("authorization") != f"Bearer {self.token}":
            return Response(status_code=self.status or 401)
        telling = await request.json()
        self.tellings.append(telling)
        have = self.records[-1]["n"] if self.records else 0
        if telling["after"] > have and self.refused != telling["after"]:
            self.refused = telling["after"]
            return JSONResponse({"have": have})
        self.records += [record for record in telling["fetches"] if record["n"] > have]
        if self.records:
            self.told.set()
        return JSONResponse({"have": self.records[-1]["n"] if self.records else have})

    def _blob(self, request):
        # Not a coroutine: it runs in a thread of its own and may wait there.
        digest = request.path_params["digest"]
        self.asked.append(digest)
        self.arrived.set()
        assert self.go.wait(10)
        if self.status:
            return Response(status_code=self.status, headers={"location": self.location})
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return PlainTextResponse("no", 401)
        if digest not in self.modules:
            return PlainTextResponse("unknown", 404)
        return Response(self.modules[digest], media_type="application/wasm")


@contextlib.contextmanager
def serve(application, address="127.0.0.1", port=0):
    """Run an ASGI application on a loopback port, a free one where none is named; gives its base URL."""
    with socket.create_server((address, port)) as listener:
        config = uvicorn.Config(application, log_config=None, lifespan="on", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://{address}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextlib.contextmanager
def serve_wasmer(settings, address="127.0.0.1"):
    """Run a wasmer in a thread; gives its base URL."""
    listener = socket.create_server((address, 0), backlog=256)
    port = listener.getsockname()[1]
    started = threading.Event()
    running = []

    async def main():
        running.extend([asyncio.get_running_loop(), asyncio.Event()])
        started.set()
        await run.Wasmer(settings).run(listener, running[1])

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    try:
        assert started.wait(10)
        yield f"http://{address}:{port}"
    finally:
        running[0].call_soon_threadsafe(running[1].set)
        thread.join()


@pytest.fixture
def controller():
    """A running controller that knows nothing yet."""
    stand_in = Controller()
    with serve(stand_in.app) as stand_in.url:
        yield stand_in


@pytest.fixture
def replicas():
    """Two controllers behind one name, as behind a headless Service: the name's URL, both, its resolver."""
    pair = [Controller(), Controller()]
    with serve(pair[0].app) as pair[0].url:
        port = int(pair[0].url.rpartition(":")[2])
        with serve(pair[1].app, "127.0.0.2", port) as pair[1].url:

            async def resolve(name):
                return ["127.0.0.1", "127.0.0.2"] if name == "controllers.test" else []

            yield f"http://controllers.test:{port}", pair, resolve


@pytest.fixture
def token_file(tmp_path):
    """The token that a controller takes at first."""
    path = tmp_path / "token"
    path.write_text("right\n")
    return path


@pytest.fixture
def root(tmp_path):
    """The data folder of a wasmer."""
    return tmp_path / "store"


@pytest.fixture
def store(root):
    """Its store, empty."""
    return blobs.Blobs(root)


@pytest.fixture
def wasmer(token_file, root):
    """Starts wasmers: ``wasmer(peers=(), controllers=(), resolve=..., root=..., **settings)`` gives a base URL."""
    with contextlib.ExitStack() as stack:

        def start(peers=(), controllers=(), resolve=places.resolve, root=root, **settings):
            sources = fill.Sources(tuple(peers), tuple(controllers), token_file, resolve)
            return stack.enter_context(serve_wasmer(run.Settings(root, sources, **settings)))

        yield start


@pytest.fixture
def http():
    """An HTTP client."""
    with httpx2.Client(timeout=20) as client:
        yield client


@pytest.fixture
def dead_url():
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"
