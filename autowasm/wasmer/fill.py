"""Gets a module into the own store: from the store itself, else from a peer, else from a controller.

Peers are asked first, all at once and without a token, so that controllers send each module about once. Then
controllers are asked, one after the other; only when each of them answered that it does not know a module is it
unknown. A URL stands for every address that its name has: for all replicas behind a headless Service.
However many sidecars ask, one fill a digest is under way, and it goes on when they stop waiting: their next
try finds it done.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2

from autowasm import errors, serving
from autowasm.digest import Digest
from autowasm.net import places
from autowasm.store import blobs, flights
from autowasm.wasmer import fetch, metrics

WAIT_SECONDS: Final = 10.0
"""How long one request waits for a fill: less than a sidecar does, so that it is told when to come again."""

RETRY_SECONDS: Final = 1.0
"""When to come again."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sources:
    """Base URLs of peers and controllers; ``token_file`` holds the ServiceAccount token for controllers."""

    peers: tuple[str, ...] = ()
    controllers: tuple[str, ...] = ()
    token_file: Path | None = None
    resolve: places.Resolve = places.resolve


class Modules:
    """The modules that this wasmer can serve."""

    def __init__(
        self, store: blobs.Blobs, http: httpx2.AsyncClient, sources: Sources, meters: metrics.Metrics
    ) -> None:
        self._store = store
        self._http = http
        self._sources = sources
        self._meters = meters
        self._reads = flights.Flights[bytes | None]()
        self._loads = flights.Flights[bytes]()

    async def held(self, digest: Digest) -> bytes | None:
        """The module, if it is in the own store."""
        return await self._reads.run(digest, lambda: asyncio.to_thread(self._store.get, digest))

    async def get(self, digest: Digest) -> bytes:
        """The module, fetched where it is not in the own store; who asks at the same time shares its bytes.

        Raises:
            errors.Final: reason NotFound, no controller knows it.
            errors.Retry: it can't be had now, ``after`` says when to come again.
        """
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await self._loads.run(digest, lambda: self._load(digest))
        except TimeoutError as error:
            message = f"module {digest.short}: not fetched within {WAIT_SECONDS:g} s"
            raise errors.Retry(message, side="wasmer", reason="Slow", after=RETRY_SECONDS) from error

    async def close(self) -> None:
        """End what is under way."""
        await self._reads.close()
        await self._loads.close()

    async def _load(self, digest: Digest) -> bytes:
        data = await asyncio.to_thread(self._store.get, digest)
        return await self._fill(digest) if data is None else data

    async def _fill(self, digest: Digest) -> bytes:
        began = time.monotonic()
        data = await self._from_peer(digest)
        if data is None:
            data = await self._from_controller(digest)
        await asyncio.to_thread(self._store.put, data)
        self._meters.filled(time.monotonic() - began)
        _log.info("module filled", extra={"digest": digest.hex, "bytes": len(data)})
        return data

    async def _from_peer(self, digest: Digest) -> bytes | None:
        headers = {fetch.HOP_HEADER: "1"}
        path = serving.module_path(digest)
        found = await places.of(self._sources.peers, self._sources.resolve)
        peers = [_source("wasmer", place, path, headers) for place in found]
        source = await self._holder(peers)
        if source is None:
            return None
        try:
            return await self._ask("peer", source, digest)
        except errors.Error:
            return None

    async def _holder(self, peers: list[fetch.Source]) -> fetch.Source | None:
        async def ask(peer: fetch.Source) -> fetch.Source | None:
            return peer if await fetch.has(self._http, peer) else None

        questions = [asyncio.create_task(ask(peer)) for peer in peers]
        try:
            for answer in asyncio.as_completed(questions):
                if source := await answer:
                    return source
            return None
        finally:
            for question in questions:
                question.cancel()

    async def _from_controller(self, digest: Digest) -> bytes:
        failures: list[errors.Error] = []
        for place in await places.of(self._sources.controllers, self._sources.resolve):
            try:
                return await self._ask("controller", self._controller(place, digest), digest)
            except errors.Error as error:
                failures.append(error)
        if failures and all(isinstance(failure, errors.Final) for failure in failures):
            message = f"module {digest.short}: no controller knows it, {len(failures)} asked"
            raise errors.Final(message, side="controller", reason="NotFound")
        why = "; ".join(str(failure) for failure in failures) or "no controller is configured"
        message = f"module {digest.short}: can't be fetched now: {why}"
        raise errors.Retry(message, side="controller", reason="Unavailable", after=RETRY_SECONDS)

    def _controller(self, place: places.Place, digest: Digest) -> fetch.Source:
        # The file is read each time: the kubelet replaces the token before it runs out.
        headers: dict[str, str] = {}
        file = self._sources.token_file
        if file is not None:
            try:
                headers["authorization"] = f"Bearer {file.read_text().strip()}"
            except (OSError, UnicodeDecodeError) as error:
                message = f"token file {file}: must be readable: {error}"
                raise errors.Retry(message, side="wasmer", reason="NoToken") from error
        return _source("controller", place, serving.blob_path(digest), headers)

    async def _ask(self, kind: str, source: fetch.Source, digest: Digest) -> bytes:
        try:
            data = await fetch.module(self._http, source, digest)
        except errors.Error as error:
            self._meters.asked(kind, error.reason)
            _log.warning("fetch failed", extra={"source": kind, "reason": error.reason, "error": str(error)})
            raise
        self._meters.asked(kind, "Ok")
        return data


def _source(side: errors.Side, place: places.Place, path: str, headers: Mapping[str, str]) -> fetch.Source:
    return fetch.Source(side, place.url + path, {**headers, "host": place.authority}, place.name)
