"""Bodies of answers, read no further than their cap, whatever the peer announced."""

from __future__ import annotations

from typing import Final

import httpx2

from autowasm import errors
from autowasm.net import failures

_FAULT_BYTES: Final = (
    8 * 1024
)  # of a failing answer: error bodies are smaller, pages of proxies need not be read


async def read(response: httpx2.Response, cap: int, ask: failures.Ask) -> bytes:
    """The whole body.

    Raises:
        errors.Final: reason TooLarge: it has more than ``cap`` bytes.
    """
    data = bytearray()
    async for piece in response.aiter_raw():
        data += piece
        if len(data) > cap:
            raise errors.Final(
                f"too large: the answer to {ask} must have at most {cap} bytes",
                side=ask.side,
                reason="TooLarge",
            )
    return bytes(data)


async def beginning(response: httpx2.Response) -> bytes:
    """What a failing answer says, its first bytes; a body that breaks off is as good as its beginning."""
    data = bytearray()
    try:
        async for piece in response.aiter_raw():
            data += piece
            if len(data) > _FAULT_BYTES:
                break
    except failures.FOREIGN:
        pass
    return bytes(data[:_FAULT_BYTES])
