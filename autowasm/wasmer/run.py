"""Puts a wasmer together and runs it until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import signal
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx2

from autowasm import limits
from autowasm.digest import Digest
from autowasm.net import session
from autowasm.store.blobs import Blobs, Room
from autowasm.wasmer import app, fetch, fill, metrics
from autowasm.wasmer.http.buckets import Buckets
from autowasm.wasmer.http.caps import Caps
from autowasm.wasmer.http.server import Server
from autowasm.wasmer.ledger import Ledger
from autowasm.wasmer.tell import Pauses, Teller

GRACE_SECONDS: Final = 25.0
"""How long transfers under way may take after SIGTERM: less than the 30 s after which a kubelet kills."""

_DESCRIPTORS: Final = 4 * limits.CONNECTIONS
"""A connection has its socket and the file it sends; there are fills and the store beside."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says, and the bounds that tests narrow."""

    data: Path
    sources: fill.Sources
    quota: int = limits.STORE_BYTES
    rate: float = limits.REQUESTS_PER_SECOND
    burst: float = limits.REQUESTS_BURST
    caps: Caps = field(default_factory=Caps)
    pauses: Pauses = field(default_factory=Pauses)


class Wasmer:
    """All parts, wired.

    Raises:
        errors.Final: the folder can't be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = Blobs(settings.data, Room(settings.quota, limits.ASKED_SECONDS))
        self._ledger = Ledger(settings.data)
        self._meters = metrics.Metrics()

    async def run(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Serve until ``stop``, then finish what is under way. Closes the listener."""
        settings = self._settings
        async with _client() as http, contextlib.AsyncExitStack() as stack:
            modules = fill.Modules(self._store, http, settings.sources, self._meters)
            stack.push_async_callback(modules.close)
            teller = await stack.enter_async_context(self._telling(http))

            def fetched(address: str, digest: Digest) -> None:
                if self._ledger.add(address, digest, time.time()):
                    teller.news()

            rate = Buckets(settings.rate, settings.burst)
            answers = app.App(modules, self._meters, rate, fetched, stop.is_set)
            server = Server(answers, settings.caps, self._meters.refused)
            self._watch(server)
            host, port = listener.getsockname()[:2]
            _log.info("serving", extra={"host": host, "port": port, "modules": len(self._store.digests())})
            await server.run(listener, stop, GRACE_SECONDS)

    @contextlib.asynccontextmanager
    async def _telling(self, http: httpx2.AsyncClient) -> AsyncIterator[Teller]:
        """Tells controllers of fetches within it, and at its end of the last ones."""
        teller = Teller(self._ledger, http, self._settings.sources, self._settings.pauses)
        task = asyncio.create_task(teller.run())
        try:
            yield teller
        finally:
            task.cancel()
            await asyncio.wait([task])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(fetch.CONNECT_SECONDS):
                    await teller.tell()

    def _watch(self, server: Server) -> None:
        self._meters.watch(
            {
                "connections": server.__len__,
                "modules": lambda: len(self._store.digests()),
                "store_bytes": lambda: self._store.size,
                "store_full": lambda: bool(self._store.full),
            }
        )


def run(wasmer: Wasmer, listener: socket.socket) -> None:
    """Run until SIGTERM or SIGINT."""
    _raise_descriptors()
    asyncio.run(_until_signal(wasmer, listener))


async def _until_signal(wasmer: Wasmer, listener: socket.socket) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await wasmer.run(listener, stop)


def _client() -> httpx2.AsyncClient:
    # All that it asks is in the cluster, and asked by address: no proxy's business.
    return session.client(timeout=fetch.IDLE_SECONDS, proxies=False)


def _raise_descriptors() -> None:
    """As many open files as the connections need, where the system lets us: shells give 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
