"""Modules from a plain URL (``spec.filter.source.object.url``): public object storage, any HTTP server.

What comes may be the bare module, gzip or a tar with plugin.wasm: ``oci.unpack`` sees which.
"""

from __future__ import annotations

import asyncio
from typing import Final

import httpx2

from autowasm import errors, limits
from autowasm.net import failures, retry
from autowasm.oci import blame, errcode, unpack
from autowasm.registry import body

_PIECE: Final = 1024 * 1024


async def fetch(http: httpx2.AsyncClient, url: str, patience: retry.Patience | None = None) -> bytes:
    """The module at a URL.

    Raises: errors.Retry, errors.Final: side "object"; reasons BadURL, NotFound, Forbidden, Unauthorized,
    Unreachable, ObjectFault, TooManyRequests, NoModule, TooLarge, Refused.
    """
    target = _target(url)
    return await retry.persist(lambda: _fetch(http, target), patience or retry.Patience())


def _target(url: str) -> httpx2.URL:
    try:
        target = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise _bad(f"must be a URL: {error}") from error
    if target.scheme not in ("http", "https") or not target.host:
        raise _bad(f"must begin with https:// or http:// and a host, found {url[:200]!a}")
    return target


def _bad(message: str) -> errors.Final:
    return errors.Final(f"url: {message}", side="object", reason="BadURL")


async def _fetch(http: httpx2.AsyncClient, url: httpx2.URL) -> bytes:
    ask = failures.Ask("object", "GET", str(url))
    try:
        response = await http.send(http.build_request("GET", url), stream=True, follow_redirects=True)
        try:
            if response.status_code != 200:
                raise failures.of_status(ask, response, errcode.excerpt(await body.beginning(response)))
            return await _module(response, ask)
        finally:
            await response.aclose()
    except failures.FOREIGN as error:
        raise failures.of_exception(ask, error) from error


async def _module(response: httpx2.Response, ask: failures.Ask) -> bytes:
    unpacker = unpack.Unpacker(blame.Origin("object", f"answer to {ask}"))
    size = 0
    async for piece in response.aiter_raw(_PIECE):
        size += len(piece)
        if size > limits.MODULE_BYTES:
            raise errors.Final(
                f"too large: the answer to {ask} must have at most {limits.MODULE_BYTES} bytes",
                side="object",
                reason="TooLarge",
            )
        await asyncio.to_thread(unpacker.feed, piece)
    return unpacker.finish()
