"""Bodies of answers, read no further than their cap, whatever the peer announced."""

from __future__ import annotations

import httpx2

from autowasm import errors, limits
from autowasm.net import failures


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
            if len(data) > limits.ERROR_BODY_BYTES:
                break
    except failures.FOREIGN:
        pass
    return bytes(data[: limits.ERROR_BODY_BYTES])
