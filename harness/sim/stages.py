"""One filter in one direction of a stream: whether it goes on, and what is held back until it does.

Source: Envoy, source/common/http/filter_manager.cc (commonContinue, commonHandleAfterHeadersCallback,
commonHandleAfterDataCallback). Envoy keeps one buffer for all filters of a direction; here each has its own, which
comes to the same, as nothing is behind the filter that stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, IntEnum
from typing import Final, Protocol

from harness.sim.maps import HeaderMap

LIMIT: Final = 1 << 20
"""Bytes that Envoy holds back (per_connection_buffer_limit_bytes, by default)."""


class OnHeaders(IntEnum):
    """What a filter may answer to headers (proxy-wasm-cpp-host, FilterHeadersStatus)."""

    CONTINUE = 0
    STOP = 1
    END = 2
    STOP_ALL_BUFFER = 3
    STOP_ALL = 4


class OnData(IntEnum):
    """What a filter may answer to a part of the body (FilterDataStatus)."""

    CONTINUE = 0
    BUFFER = 1
    WATERMARK = 2
    NO_BUFFER = 3


class _State(Enum):
    GOES = 0
    STOPPED = 1
    STOPPED_ALL = 2


class Sink(Protocol):
    """What a part of a message goes to: the next stage, the router, or the client."""

    def headers(self, headers: HeaderMap, end: bool) -> None:
        """The headers; ``end`` where nothing follows."""
        ...

    def data(self, data: bytearray, end: bool) -> None:
        """A part of the body, which the sink may change."""
        ...

    def trailers(self, trailers: HeaderMap) -> None:
        """The trailers, which end the message."""
        ...


class Handler(Protocol):
    """A filter, seen from one direction."""

    def on_headers(self, headers: HeaderMap, end: bool) -> OnHeaders:
        """What to do with headers."""
        ...

    def on_data(self, data: bytearray, end: bool) -> OnData:
        """What to do with a part of the body."""
        ...

    def on_trailers(self, trailers: HeaderMap) -> bool:
        """Whether to go on."""
        ...


class Stage:
    """A filter in one direction. It ends without a word when ``aborted`` is set."""

    def __init__(self, handler: Handler, following: Sink, overflow: Callable[[], None]) -> None:
        self._handler, self._next, self._overflow = handler, following, overflow
        self._waits = False
        self._state = _State.GOES
        self._continued = False
        self._map: HeaderMap | None = None
        self.held: bytearray | None = None
        self.ended = False
        self._handled_end = False
        self.tail: HeaderMap | None = None
        self.aborted = False

    def headers(self, headers: HeaderMap, end: bool) -> None:
        """See Sink."""
        if self.aborted:
            return
        self._map, self.ended, self._handled_end = headers, end, end
        status = self._handler.on_headers(headers, end)
        if status in (OnHeaders.STOP_ALL, OnHeaders.STOP_ALL_BUFFER):
            self._state = _State.STOPPED_ALL
            self._waits = status == OnHeaders.STOP_ALL
        elif status == OnHeaders.STOP:
            self._state = _State.STOPPED
        elif not self.aborted:
            self._continued = True
            self._next.headers(headers, end)

    def data(self, data: bytearray, end: bool) -> None:
        """See Sink."""
        if self.aborted:
            return
        self.ended = end
        if self._state is _State.STOPPED_ALL:
            self.hold(data)
        else:
            self._filter_data(data, end)

    def _filter_data(self, data: bytearray, end: bool) -> None:
        if self._handled_end:
            return
        tail = self.tail
        self._handled_end = end and tail is None
        status = self._handler.on_data(data, end and tail is None)
        if self.aborted:
            return
        end = end and self.tail is None  # the filter may have added trailers
        if status != OnData.CONTINUE:
            self._state = _State.STOPPED
            if status in (OnData.BUFFER, OnData.WATERMARK):
                self._waits = status == OnData.WATERMARK
                self.hold(data)
            elif self.ended and self.tail is None and self.held is None:
                self.held = bytearray()
        elif self._state is _State.STOPPED:
            self.hold(data)
            self.resume()
        else:
            self._pass(data, end)
            if tail is None and self.tail is not None and not self.aborted:
                self._next.trailers(self.tail)

    def hold(self, data: bytearray) -> None:
        """Keep a part of the body until the filter goes on; it is moved out of ``data``."""
        if self.held is None:
            self.held = bytearray()
        if self.held is not data:
            self.held += data
            data.clear()
            if len(self.held) > LIMIT and not self._waits:
                self._overflow()

    @property
    def begun(self) -> bool:
        """Whether headers came."""
        return self._map is not None

    @property
    def full(self) -> bool:
        """Whether no more may come until the filter goes on."""
        return self.held is not None and len(self.held) > LIMIT

    def _pass(self, data: bytearray, end: bool) -> None:
        if self.held is data:
            self.held = None
        self._next.data(data, end)

    def trailers(self, trailers: HeaderMap) -> None:
        """See Sink."""
        if self.aborted:
            return
        self.tail, self.ended = trailers, True
        if self._state is not _State.STOPPED_ALL:
            self._filter_trailers(trailers)

    def _filter_trailers(self, trailers: HeaderMap) -> None:
        goes = self._handler.on_trailers(trailers)
        if self.aborted:
            return
        if not goes:
            if self._state is _State.GOES:
                self._state = _State.STOPPED
        elif self._state is _State.STOPPED:
            self.resume()
        else:
            self._next.trailers(trailers)

    def resume(self) -> None:
        """Go on: what was held back moves, through this filter once more where all had been stopped."""
        if self.aborted or self._map is None:
            return
        again = self._state is _State.STOPPED_ALL
        self._state = _State.GOES
        tail = self.tail
        if not self._continued:
            self._continued = True
            self._next.headers(self._map, self.ended and self.held is None and tail is None)
        if self.held is not None and not self.aborted:
            held, end = self.held, self.ended and tail is None
            if again:
                self._filter_data(held, end)
            else:
                self._pass(held, end)
        if tail is not None and not self.aborted:
            if again:
                self._filter_trailers(tail)
            else:
                self._next.trailers(tail)
