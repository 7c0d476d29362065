"""HTTP/2 on a connection, known from its first bytes on (RFC 9113, section 3.3), its frames by the library h2.

Each stream is a task. Files are read in frames as the other side has room for them, so that a slow reader costs no
more memory than one turn of frames. Who opens streams only to reset them is let go.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Final
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from autowasm import limits
from autowasm.wasmer.http.caps import Caps
from autowasm.wasmer.http.frames import Frames
from autowasm.wasmer.http.messages import Answer, Handler, Request, Span
from autowasm.wasmer.http.wire import Late, Wire

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

_TURN_FRAMES: Final = 16
_CONFIG: Final = h2.config.H2Configuration(client_side=False, header_encoding="latin-1")
_Streams = dict[int, asyncio.Task[None]]


async def serve(wire: Wire, first: bytes, handler: Handler, caps: Caps) -> None:
    """Answer until either side ends; ``first`` is what was read already, and begins with the preface.

    Raises:
        Late, OSError: of the connection.
    """
    connection = _Connection(wire, handler, caps)
    try:
        await connection.run(first)
    finally:
        await connection.close()


class _Connection:
    def __init__(self, wire: Wire, handler: Handler, caps: Caps) -> None:
        self._wire = wire
        self._handler = handler
        self._caps = caps
        self._h2 = h2.connection.H2Connection(_CONFIG)
        self._streams: _Streams = {}
        self._room = asyncio.Event()
        self._sending = asyncio.Lock()
        self._resets = 0

    async def run(self, data: bytes) -> None:
        """Read until the end."""
        self._h2.initiate_connection()
        frames = Frames(len(PREFACE))
        while data and frames.fit(data):
            try:
                events = self._h2.receive_data(data)
            except h2.exceptions.ProtocolError:
                break
            if not all(self._take(event) for event in events):
                break
            await self._flush()
            data = await self._receive()
        with contextlib.suppress(h2.exceptions.ProtocolError):
            self._h2.close_connection()
        await self._flush()
        await self._wire.finish()

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._streams.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _receive(self) -> bytes:
        while True:
            with contextlib.suppress(Late):  # streams have bounds of their own
                return await self._wire.receive(self._caps.idle, idle=not self._streams)

    def _take(self, event: h2.events.Event) -> bool:
        """Act on an event; whether the connection goes on."""
        match event:
            case h2.events.RequestReceived(stream_id=int(stream)):
                if self._wire.draining:
                    self._h2.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)
                else:
                    self._begin(stream, _request(event, self._wire))
            case h2.events.DataReceived(stream_id=int(stream)):
                self._h2.acknowledge_received_data(event.flow_controlled_length or 0, stream)
            case h2.events.StreamReset(stream_id=int(stream)):
                self._resets += 1
                if task := self._streams.get(stream):
                    task.cancel()
                return self._resets <= limits.STREAM_RESETS
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                self._room.set()
            case h2.events.ConnectionTerminated():
                return False
        return True

    def _begin(self, stream: int, request: Request) -> None:
        task = asyncio.ensure_future(self._stream(stream, request))
        self._streams[stream] = task
        task.add_done_callback(lambda _: self._ended(stream))

    def _ended(self, stream: int) -> None:
        del self._streams[stream]
        if self._wire.draining:
            self._wire.drain(idle=not self._streams)

    async def _stream(self, stream: int, request: Request) -> None:
        answer = await self._handler(request)
        whole = False
        try:
            await self._answer(stream, answer, bare=request.method == "HEAD")
            whole = True
        except (h2.exceptions.ProtocolError, OSError, Late, TimeoutError):
            with contextlib.suppress(h2.exceptions.ProtocolError, OSError, Late):
                self._h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
                await self._flush()
        finally:
            answer.ended(whole)

    async def _answer(self, stream: int, answer: Answer, *, bare: bool) -> None:
        headers = [(":status", str(answer.status)), *answer.headers.items()]
        if not answer.bodiless:
            headers.append(("content-length", str(answer.length)))
        length = 0 if bare or answer.bodiless else answer.length
        self._h2.send_headers(stream, headers, end_stream=length == 0)
        position = 0
        while position < length:
            position = await self._some(stream, answer, position)
        await self._flush()

    async def _some(self, stream: int, answer: Answer, position: int) -> int:
        """Send what there is room for, a turn of frames at most; the position then."""
        for _ in range(_TURN_FRAMES):
            room = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)
            left = answer.length - position
            if left == 0:
                break
            if room <= 0:
                self._room.clear()
                await self._flush()
                async with asyncio.timeout(self._caps.grace):
                    await self._room.wait()
                break
            chunk = _part(answer.body, position, min(room, left))
            self._h2.send_data(stream, chunk, end_stream=len(chunk) == left)
            position += len(chunk)
        await self._flush()
        return position

    async def _flush(self) -> None:
        async with self._sending:
            data = self._h2.data_to_send()
            if data:
                await self._wire.send(data)


def _part(body: bytes | Span, position: int, length: int) -> bytes:
    if isinstance(body, bytes):
        return body[position : position + length]
    data = os.pread(body.descriptor, length, body.start + position)
    if len(data) < length:
        raise OSError("the file is shorter than its length")
    return data


def _request(event: h2.events.RequestReceived, wire: Wire) -> Request:
    headers: dict[str, str] = {}
    for name, value in event.headers or ():
        key, text = str(name), str(value)
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    path = unquote(headers.pop(":path", "/").partition("?")[0])
    return Request(headers.pop(":method", ""), path, headers, wire.peer, wire.crowded)
