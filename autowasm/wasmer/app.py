"""wasmer's answers: what sidecars, peers, probes and scrapers may ask, not where modules come from.

    GET, HEAD /wasm/<hex>   200 the module, 206 a part of it, 304, 416; 400 no digest; 404 no controller knows it;
                            429 + Retry-After this address asks too often; 503 + Retry-After it can't be had now
    GET /healthz            200 while the process runs
    GET /readyz             200 while it takes requests, 503 once it ends
    GET /metrics            Prometheus text

A question that carries the hop header comes from a peer: it is answered from the own store, so that two
wasmers that lack a module do not ask each other for ever. HEAD fetches a module as GET does, and is no fetch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from autowasm import errors, serving
from autowasm.digest import Digest
from autowasm.store.blobs import Opened
from autowasm.wasmer import fetch, fill, metrics
from autowasm.wasmer.http import conditions
from autowasm.wasmer.http.buckets import Buckets
from autowasm.wasmer.http.messages import Answer, Request, Span, plain

_MODULES: Final = "/wasm/"
_METHODS: Final = ("GET", "HEAD")

Fetched = Callable[[str, Digest], None]
"""Told of an address and the module that it has now."""


@dataclass(slots=True)
class App:
    """Answers requests.

    Attributes:
        modules: what can be served.
        meters: what counts.
        rate: how often each address may ask for modules.
        fetched: told of each module that went to a sidecar whole.
        draining: answers whether no more requests shall be sent here.
    """

    modules: fill.Modules
    meters: metrics.Metrics
    rate: Buckets
    fetched: Fetched
    draining: Callable[[], bool]

    async def __call__(self, request: Request) -> Answer:
        """The answer to a request; it never raises."""
        name = request.path.removeprefix(_MODULES)
        if name != request.path and name and "/" not in name:
            answer = await self._module(request, name)
            self.meters.answered(answer.status)
            return answer
        page = {"/healthz": self._healthz, "/readyz": self._readyz, "/metrics": self._metrics}.get(
            request.path
        )
        if page is None:
            return plain(404, "there is nothing here")
        return page() if request.method in _METHODS else _NOT_ALLOWED

    async def _module(self, request: Request, name: str) -> Answer:
        if request.method not in _METHODS:
            return _NOT_ALLOWED
        if request.crowded:
            return plain(503, "too many connections", {"retry-after": "1"})
        if not self.rate.take(request.peer, time.monotonic()):
            self.meters.refused("rate")
            return plain(429, "too many requests", {"retry-after": "1"})
        try:
            digest = Digest(name)
        except ValueError as error:
            return plain(400, str(error))
        try:
            opened = self.modules.ready(digest) or await self._get(request, digest)
        except errors.Final as error:
            return plain(404, str(error))
        except errors.Retry as error:
            status = 429 if error.reason == "TooManyRequests" else 503
            return plain(status, str(error), {"retry-after": str(max(1, round(error.after or 1)))})
        return self._answer(request, digest, opened)

    async def _get(self, request: Request, digest: Digest) -> Opened:
        if fetch.HOP_HEADER not in request.headers:
            return await self.modules.get(digest, request.peer)
        opened = await self.modules.held(digest)
        if opened is None:
            raise errors.Final(f"module {digest.short}: not in this store", side="wasmer", reason="NotFound")
        return opened

    def _answer(self, request: Request, digest: Digest, opened: Opened) -> Answer:
        tag = f'"{digest.hex}"'
        # The name is the content's digest: what is under it never changes.
        headers = {
            "etag": tag,
            "cache-control": "public, max-age=31536000, immutable",
            "accept-ranges": "bytes",
        }
        if conditions.matches(request.headers, tag):
            return Answer(304, headers)
        headers["content-type"] = serving.WASM_CONTENT_TYPE
        if request.method == "HEAD" or "range" not in request.headers:
            return self._whole(request, digest, opened, headers)
        return _part(request, opened, headers, tag)

    def _whole(self, request: Request, digest: Digest, opened: Opened, headers: dict[str, str]) -> Answer:
        size = opened.size

        def ended(whole: bool) -> None:
            if request.method == "HEAD":
                return
            if not whole:
                self.meters.cut()
                return
            self.meters.sent(size)
            if fetch.HOP_HEADER not in request.headers:
                self.meters.fetched()
                self.fetched(request.peer, digest)

        return Answer(200, headers, Span(opened.descriptor, 0, size, opened), ended)

    def _healthz(self) -> Answer:
        return plain(200, "ok")

    def _readyz(self) -> Answer:
        return plain(503, "draining", {"retry-after": "1"}) if self.draining() else plain(200, "ok")

    def _metrics(self) -> Answer:
        return Answer(200, {"content-type": metrics.CONTENT_TYPE}, self.meters.text())


_NOT_ALLOWED: Final = plain(405, "only GET and HEAD are answered", {"allow": "GET, HEAD"})


def _part(request: Request, opened: Opened, headers: dict[str, str], tag: str) -> Answer:
    try:
        first, length = conditions.span(request.headers, tag, opened.size) or (0, opened.size)
    except conditions.Unsatisfiable:
        return plain(416, "no such range", {"content-range": f"bytes */{opened.size}"})
    status = 200 if length == opened.size else 206
    if status == 206:
        headers["content-range"] = f"bytes {first}-{first + length - 1}/{opened.size}"
    return Answer(status, headers, Span(opened.descriptor, first, length, opened))
