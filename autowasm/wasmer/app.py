"""wasmer's HTTP side: what sidecars, peers, probes and scrapers may ask, not where modules come from.

    GET, HEAD /wasm/<hex>   200 the module; 400 no digest; 404 no controller knows it;
                            503 + Retry-After it can't be had now
    GET /healthz            200 while the process runs
    GET /readyz             200 while it takes requests
    GET /metrics            Prometheus text

A question that carries the hop header comes from a peer: it is answered from the own store, so that two
wasmers that lack a module do not ask each other for ever.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from autowasm import errors, serving
from autowasm.digest import Digest
from autowasm.wasmer import fetch, fill, metrics

CHUNK_BYTES: Final = 256 * 1024
"""What one slow reader holds in memory beside the module, which all readers share."""

_ROUTE: Final = "/wasm/{digest}"

Open = Callable[[], AbstractAsyncContextManager[fill.Modules]]


def build(open_modules: Open, meters: metrics.Metrics) -> Starlette:
    """The application; ``open_modules`` is entered when it starts and left after its last answer."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_modules() as modules:
            app.state.modules = modules
            yield

    async def module(request: Request) -> Response:
        response = await _module(request, request.app.state.modules, meters)
        meters.answered(response.status_code)
        return response

    async def scrape(_: Request) -> Response:
        return Response(meters.text(), media_type=metrics.CONTENT_TYPE)

    routes = [
        Route(_ROUTE, module, methods=["GET"]),
        Route("/healthz", _well, methods=["GET"]),
        Route("/readyz", _well, methods=["GET"]),
        Route("/metrics", scrape, methods=["GET"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _well(_: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _module(request: Request, modules: fill.Modules, meters: metrics.Metrics) -> Response:
    try:
        digest = Digest(request.path_params["digest"])
    except ValueError as error:
        return PlainTextResponse(f"{error}\n", 400)
    try:
        data = await (_held(modules, digest) if fetch.HOP_HEADER in request.headers else modules.get(digest))
    except errors.Final as error:
        return PlainTextResponse(f"{error}\n", 404)
    except errors.Retry as error:
        after = max(1, round(error.after or 1))
        return PlainTextResponse(f"{error}\n", 503, {"retry-after": str(after)})
    return _answer(request.method, digest, data, meters)


async def _held(modules: fill.Modules, digest: Digest) -> bytes:
    data = await modules.held(digest)
    if data is None:
        raise errors.Final(f"module {digest.short}: not in this store", side="wasmer", reason="NotFound")
    return data


def _answer(method: str, digest: Digest, data: bytes, meters: metrics.Metrics) -> Response:
    headers = {
        "content-length": str(len(data)),
        "etag": f'"{digest.hex}"',
        # The name is the content's digest: what is under it never changes.
        "cache-control": "public, max-age=31536000, immutable",
    }
    if method == "HEAD":
        return Response(headers=headers, media_type=serving.WASM_CONTENT_TYPE)
    return StreamingResponse(_chunks(data, meters), 200, headers, serving.WASM_CONTENT_TYPE)


async def _chunks(data: bytes, meters: metrics.Metrics) -> AsyncIterator[memoryview]:
    view = memoryview(data)
    for start in range(0, len(data), CHUNK_BYTES):
        chunk = view[start : start + CHUNK_BYTES]
        yield chunk
        meters.sent(len(chunk))
