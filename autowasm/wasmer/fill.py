"""Gets a module into the own store: from the store itself, else from a peer, else from a controller.

Peers are asked first, all at once and without a token, so that controllers send each module about once. Then
controllers are asked, one after the other; only when each of them answered that it does not know a module is it
unknown. A URL stands for every address that its name has: for all replicas behind a headless Service.
However many sidecars ask, one fill a digest is under way, and it goes on when they stop waiting: their next
try finds it done. What the disk has no room for is held in memory for a while.
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

from autowasm import errors, limits, serving
from autowasm.digest import Digest
from autowasm.net import places
from autowasm.store import blobs, flights, memory
from autowasm.wasmer import fetch, metrics, misses

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

    def authorization(self) -> dict[str, str]:
        """The header for controllers. The file is read each time: the kubelet replaces the token in time.

        Raises:
            errors.Retry: reason NoToken, it can't be read.
        """
        file = self.token_file
        if file is None:
            return {}
        try:
            return {"authorization": f"Bearer {file.read_text().strip()}"}
        except (OSError, UnicodeDecodeError) as error:
            message = f"token file {file}: must be readable: {error}"
            raise errors.Retry(message, side="wasmer", reason="NoToken") from error


class Modules:
    """The modules that this wasmer can serve."""

    def __init__(
        self, store: blobs.Blobs, http: httpx2.AsyncClient, sources: Sources, meters: metrics.Metrics
    ) -> None:
        self._store = store
        self._memory = memory.Memory()
        self._http = http
        self._sources = sources
        self._meters = meters
        self._misses = misses.Misses()
        self._slots = asyncio.Semaphore(limits.FILLS)
        self._loads = flights.Flights[None]()
        self._reads = flights.Flights[None]()

    def ready(self, digest: Digest) -> blobs.Opened | None:
        """The module, if it can be read at once."""
        return self._store.ready(digest) or self._memory.ready(digest)

    async def held(self, digest: Digest) -> blobs.Opened | None:
        """The module, if this wasmer has it."""
        if opened := self.ready(digest):
            return opened
        await self._reads.run(digest, lambda: self._look(digest))
        return self.ready(digest)

    async def get(self, digest: Digest, asker: str = "") -> blobs.Opened:
        """The module, fetched where this wasmer has it not.

        Args:
            digest: of the module.
            asker: the address for which it is; one address may wait for so many modules.

        Raises:
            errors.Final: reason NotFound, no controller knows it.
            errors.Retry: it can't be had now, ``after`` says when to come again.
        """
        if opened := self.ready(digest):
            return opened
        try:
            with self._misses.of(asker, digest):
                async with asyncio.timeout(WAIT_SECONDS):
                    await self._loads.run(digest, lambda: self._load(digest))
        except TimeoutError as error:
            raise _later(digest, f"not fetched within {WAIT_SECONDS:g} s", "Slow") from error
        if opened := self.ready(digest):
            return opened
        raise _later(digest, "gone from the store again", "Gone")

    async def close(self) -> None:
        """End what is under way."""
        await self._reads.close()
        await self._loads.close()

    async def _look(self, digest: Digest) -> None:
        """Verify the store's copy, where there is one, so that it is ready."""
        try:
            await asyncio.to_thread(self._store.open, digest)
        except errors.Retry as error:  # a disk that can't be read is no reason to serve nothing
            _log.warning("store not readable", extra={"error": str(error)})

    async def _load(self, digest: Digest) -> None:
        await self._look(digest)
        if self.ready(digest):
            return
        async with self._slots:
            began = time.monotonic()
            size = await self._fill(digest)
        self._meters.filled(time.monotonic() - began)
        _log.info("module filled", extra={"digest": digest.hex, "bytes": size})

    async def _fill(self, digest: Digest) -> int:
        try:
            return await self._from_anybody(digest, self._store)
        except errors.Retry as error:
            if error.side != "store":
                raise
            _log.warning("module held in memory", extra={"digest": digest.hex, "error": str(error)})
        return await self._from_anybody(digest, self._memory)

    async def _from_anybody(self, digest: Digest, shelf: fetch.Shelf) -> int:
        size = await self._from_peer(digest, shelf)
        return await self._from_controller(digest, shelf) if size is None else size

    async def _from_peer(self, digest: Digest, shelf: fetch.Shelf) -> int | None:
        headers = {fetch.HOP_HEADER: "1"}
        path = serving.module_path(digest)
        found = await places.of(self._sources.peers, self._sources.resolve)
        peers = [_source("wasmer", place, path, headers) for place in found]
        source = await self._holder(peers)
        if source is None:
            return None
        try:
            return await self._ask("peer", source, digest, shelf)
        except errors.Error as error:
            if error.side == "store":
                raise
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

    async def _from_controller(self, digest: Digest, shelf: fetch.Shelf) -> int:
        failures: list[errors.Error] = []
        for place in await places.of(self._sources.controllers, self._sources.resolve):
            headers = await asyncio.to_thread(self._sources.authorization)
            source = _source("controller", place, serving.blob_path(digest), headers)
            try:
                return await self._ask("controller", source, digest, shelf)
            except errors.Error as error:
                if error.side == "store":
                    raise
                failures.append(error)
        if failures and all(isinstance(failure, errors.Final) for failure in failures):
            message = f"module {digest.short}: no controller knows it, {len(failures)} asked"
            raise errors.Final(message, side="controller", reason="NotFound")
        why = "; ".join(str(failure) for failure in failures) or "no controller is configured"
        raise _later(digest, f"can't be fetched now: {why}", "Unavailable", "controller")

    async def _ask(self, kind: str, source: fetch.Source, digest: Digest, shelf: fetch.Shelf) -> int:
        try:
            size = await fetch.module(self._http, source, digest, shelf)
        except errors.Error as error:
            self._meters.asked(kind, error.reason)
            _log.warning("fetch failed", extra={"source": kind, "reason": error.reason, "error": str(error)})
            raise
        self._meters.asked(kind, "Ok")
        return size


def _later(digest: Digest, why: str, reason: str, side: errors.Side = "wasmer") -> errors.Retry:
    return errors.Retry(f"module {digest.short}: {why}", side=side, reason=reason, after=RETRY_SECONDS)


def _source(side: errors.Side, place: places.Place, path: str, headers: Mapping[str, str]) -> fetch.Source:
    return fetch.Source(side, place.url + path, {**headers, "host": place.authority}, place.name)
