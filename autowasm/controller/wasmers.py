"""Gets modules back that stand in the mesh and that this controller lacks, out of wasmers.

A wasmer has such a module, or gets it from another controller. So a new controller needs neither the registry nor
luck: what a URL or an image held once may be gone by now. A digest names its bytes, so a wasmer need not be trusted
with more than availability.
"""

from __future__ import annotations

import asyncio
from typing import Final

import httpx2

from autowasm import errors, serving
from autowasm.digest import Digest
from autowasm.net import retry
from autowasm.registry import objects

_WAIT_SECONDS: Final = 15.0
"""Time-out of one fetch: a wasmer answers within 10 s, with the module or without."""

_ONCE: Final = retry.Patience(tries=1)


class Wasmers:
    """The wasmers behind a base URL; None is none."""

    def __init__(self, http: httpx2.AsyncClient, base: str | None) -> None:
        self._http = http
        self._base = base

    def __bool__(self) -> bool:
        """Whether there is anybody to ask."""
        return self._base is not None

    async def get(self, digest: Digest) -> bytes:
        """The module, verified.

        Raises:
            errors.Error: side "wasmer"; it cannot be had there.
        """
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                data = await objects.fetch(self._http, f"{self._base}{serving.module_path(digest)}", _ONCE)
        except errors.Error as fault:
            message = f"module {digest.short}: not to be had from a wasmer: {fault.message}"
            raise errors.Retry(message, side="wasmer", reason="Unavailable") from fault
        except TimeoutError as fault:
            message = f"module {digest.short}: not to be had from a wasmer within {_WAIT_SECONDS:g} s"
            raise errors.Retry(message, side="wasmer", reason="Unavailable") from fault
        found = await asyncio.to_thread(Digest.of, data)
        if found != digest:
            message = f"module {digest.short}: a wasmer must answer with it, answered with {found.short}"
            raise errors.Retry(message, side="wasmer", reason="DigestMismatch")
        return data
