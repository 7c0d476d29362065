"""HTTP/1.1 on a connection: one request after the other, each answered before the next is read (RFC 9112).

Bodies of requests are not read, since no request here has a use for one: the connection ends after the answer.
"""

from __future__ import annotations

import asyncio
import email.utils
import time

from autowasm import limits
from autowasm.wasmer.http import head
from autowasm.wasmer.http.caps import Caps
from autowasm.wasmer.http.messages import Answer, Handler, Request, Span, plain
from autowasm.wasmer.http.wire import Wire


async def serve(wire: Wire, first: bytes, handler: Handler, caps: Caps) -> None:
    """Answer until either side ends; ``first`` is what was read already.

    Raises:
        Late, OSError: of the connection.
    """
    buffer = bytearray(first)
    while True:
        try:
            data = await _read_head(wire, buffer, caps)
            if data is None:
                return
            found = head.parse(data)
        except head.Malformed as fault:
            await _send(wire, plain(fault.status, str(fault)), bare=False, close=True)
            await wire.finish()
            return
        request = Request(found.method, found.path, found.headers, wire.peer, wire.crowded)
        answer = await handler(request)
        close = found.close or found.body or wire.draining or wire.crowded
        await _send(wire, answer, bare=found.method == "HEAD", close=close)
        if close:
            await wire.finish()
            return


async def _read_head(wire: Wire, buffer: bytearray, caps: Caps) -> bytes | None:
    """The next head, taken off the buffer; None where the other side ended before it began one."""
    by = 0.0
    while True:
        while buffer.startswith(b"\r\n"):  # RFC 9112, section 2.2
            del buffer[:2]
        end = buffer.find(head.END)
        if end > limits.REQUEST_HEAD_BYTES or (end < 0 and len(buffer) > limits.REQUEST_HEAD_BYTES):
            raise head.Malformed(431, f"a request must have at most {limits.REQUEST_HEAD_BYTES} bytes")
        if end >= 0:
            data = bytes(buffer[:end])
            del buffer[: end + len(head.END)]
            return data
        now = asyncio.get_running_loop().time()
        if not buffer:
            data = await wire.receive(caps.idle, idle=True)
        else:
            by = by or now + caps.head
            data = await wire.receive(by - now)
        if not data:
            return None
        buffer += data


async def _send(wire: Wire, answer: Answer, *, bare: bool, close: bool) -> None:
    whole = False
    try:
        headers = {"date": _date(int(time.time())), **answer.headers}
        if not answer.bodiless:
            headers["content-length"] = str(answer.length)
        if close:
            headers["connection"] = "close"
        data = head.render(answer.status, headers)
        if bare or answer.bodiless or not answer.length:
            await wire.send(data)
        elif isinstance(answer.body, Span):
            await wire.send(data, answer.body)
        else:
            await wire.send(data + answer.body)
        whole = True
    finally:
        answer.ended(whole)


_dates: dict[int, str] = {}


def _date(second: int) -> str:
    """The date, made once a second."""
    found = _dates.get(second)
    if found is None:
        _dates.clear()
        found = _dates[second] = email.utils.formatdate(second, usegmt=True)
    return found
