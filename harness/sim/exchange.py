"""A stream: a request through a chain of filters to a cluster, and the answer back, as Envoy manages it.

Requests pass the chain in order, responses in reverse. Source: Envoy, source/common/http/conn_manager_impl.cc,
filter_manager.cc (sendLocalReply) and source/common/router/router.cc.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from harness.sim import local, router, wire
from harness.sim.clock import MILLISECOND
from harness.sim.contexts import Response
from harness.sim.filters import Filter
from harness.sim.maps import HeaderMap, Kind, Pair
from harness.sim.properties import Facts
from harness.sim.stages import Sink, Stage
from harness.sim.world import World

_STALL: Final = 1.0
"""How often a sender that has to wait tries again, in milliseconds."""
_TURN: Final = 0.01
"""What is due at once when a stream is over, like messages in queues, happens in so many milliseconds."""
_BODILESS: Final = (204, 304)
_LINE: Final = (b":authority", b":path", b":method")
_DISCONNECTED: Final = 1 << 14
_LINGERS: Final = 1000 * MILLISECOND
"""How long a connection stays open once its answer broke off, for the client to read what is there."""
_DATE: Final = b"Tue, 14 Nov 2023 22:13:20 GMT"


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sends: ``body`` in pieces, None for none; header names as the client writes them."""

    method: str = "GET"
    path: str = "/"
    headers: tuple[Pair, ...] = ()
    body: tuple[bytes, ...] | None = None
    trailers: tuple[Pair, ...] = ()


@dataclass(slots=True)
class Received:
    """What a client got.

    ``outcome`` is "response", "timeout", "reset" (in the middle), "closed" (before), or "ended": the whole proxy ended
    itself, or had done so before.
    """

    outcome: str = "timeout"
    status: int | None = None
    headers: tuple[Pair, ...] = ()
    body: bytearray = field(default_factory=bytearray)
    trailers: tuple[Pair, ...] = ()
    endless: bool = False
    """Its headers do not say where its body ends."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where requests go; ``timeout`` in milliseconds, 0 for none."""

    cluster: str
    name: str = ""
    timeout: float = 15_000.0


class Exchange:
    """One stream."""

    def __init__(self, world: World, route: Route, number: int) -> None:
        self.world, self.route = world, route
        self.facts = Facts(route.name, route.cluster, number, world.clock.now)
        self.received = Received()
        self.over = False
        self.closing = 0
        self.request: HeaderMap | None = None
        self.complete = False
        self._head_only = False
        self._response: HeaderMap | None = None
        self._trailers: HeaderMap | None = None
        self._client = _Client(self)
        self._router = router.Router(self, self._respond)
        self._filters: list[Filter] = []
        self._decoding: Sink = self._router
        self._encoding: Sink = self._client
        self._depth = 0
        self._prepared: Response | None = None
        self._direct = False

    def chain(self, filters: Sequence[Filter]) -> None:
        """Put filters into the stream, in the order in which requests pass them."""
        self._filters = list(filters)
        for each in reversed(self._filters):
            each.request.stage = Stage(each.request, self._decoding, self._request_too_large)
            self._decoding = each.request.stage
        for each in self._filters:
            each.response.stage = Stage(each.response, self._encoding, self._response_too_large)
            self._encoding = each.response.stage

    def _request_too_large(self) -> None:
        self.answer(Response(413, [], b"Payload Too Large", "request_payload_too_large", -1))

    def _response_too_large(self) -> None:
        self.answer(Response(500, [], b"Internal Server Error", "response_payload_too_large", -1))

    # ------------------------------------------------------------------ the client's side

    def headers(self, headers: HeaderMap, end: bool) -> None:
        """The client's headers came."""
        self.request, self.complete = headers, end
        self._head_only = headers.get(b":method") == b"HEAD"
        self.facts.request_head = headers.byte_size()
        if b"#" in (headers.get(b":path") or b""):  # refused before anything else is done to it
            self.complete, self.facts.route = False, None
            headers.pairs = [pair for pair in headers.pairs if pair[0] in _LINE]
            self.answer(Response(400, [], b"", "path_normalization_failed", -1))
            return
        self._decode(lambda: self._decoding.headers(headers, end))

    def data(self, data: bytes, end: bool) -> None:
        """A part of the client's body came."""
        self.complete = end
        self.facts.request_size += len(data)
        self._decode(lambda: self._decoding.data(bytearray(data), end))

    def trailers(self, pairs: Sequence[Pair]) -> None:
        """The client's trailers came."""
        self.complete = True
        trailers = HeaderMap(Kind.REQUEST_TRAILERS, pairs)
        self._decode(lambda: self._decoding.trailers(trailers))

    def stalled(self) -> bool:
        """Whether the client cannot go on yet: what it sent is held back, or calls are answered first."""
        return self.world.prompt > 0 or any(each.request.stage.full for each in self._filters)

    def _decode(self, step: Callable[[], None]) -> None:
        if self.over:
            return
        self._depth += 1
        step()
        self._depth -= 1
        self._settle()

    def _settle(self) -> None:
        """An answer that a filter gave while it decoded is sent once it has returned."""
        if self._prepared is not None and not self._depth:
            response, self._prepared = self._prepared, None
            self._through_chain(response)

    # ------------------------------------------------------------------ answers

    def answer(self, response: Response) -> None:
        """See filters.Stream."""
        if self.over:
            return
        self.facts.details = response.details.replace(" ", "_")
        self._abort_decoding()
        if self.received.status is not None:
            self.reset()
        elif self._response is not None:
            self._send_directly(response)
        elif self._prepared is None:  # the first of several counts
            self._prepared = response
            self._settle()

    def _abort_decoding(self) -> None:
        self._router.abandon()
        for each in self._filters:
            each.request.stage.aborted = True

    def _through_chain(self, response: Response) -> None:
        headers, body = self._made(response)
        self.facts.code = response.status
        self._response = headers
        shown = bool(body) and not self._head_only
        self._encoding.headers(headers, not shown)
        if shown:
            self._encoding.data(bytearray(body), True)

    def _made(self, response: Response) -> tuple[HeaderMap, bytes]:
        kind = (self.request and self.request.get(b"content-type")) or b""
        grpc = kind == b"application/grpc" or kind.startswith(b"application/grpc+")
        return local.reply(response, grpc=grpc)

    def _send_directly(self, response: Response) -> None:
        """Once a response is on its way through the chain, another one goes past it."""
        for each in self._filters:
            each.response.stage.aborted = True
        headers, body = self._made(response)
        self.facts.code = response.status
        self._response, self._direct = headers, True
        shown = bool(body) and not self._head_only
        self._client.headers(headers, not shown)
        if shown:
            self._client.data(bytearray(body), True)

    def _respond(self) -> Sink:
        """A cluster's answer begins."""
        return self._encoding

    def responding(self, headers: HeaderMap) -> None:
        """The cluster's headers are there, and about to pass the chain."""
        self._response = headers
        self.facts.code = int(headers.get(b":status") or b"0")
        self.facts.details = "via_upstream"

    def tailing(self, trailers: HeaderMap) -> None:
        """Trailers pass to the client."""
        self._trailers = trailers

    def reset(self) -> None:
        """See filters.Stream."""
        if not self.over:
            self.received.outcome = "closed" if self.received.status is None else "reset"
            self.closing = self.world.clock.now + _LINGERS
            self.facts.details = self.facts.details or "wasm_close_stream"
            self.finish()

    def linger(self) -> None:
        """The connection is closed a while after an answer to a request that has not come whole."""
        if not self.complete:
            self.received.outcome = "reset"
            self.closing = self.world.clock.now + _LINGERS

    def reroute(self) -> None:
        """See filters.Stream. There is one route, which is looked up when the router is reached."""

    def client_headers(self, headers: HeaderMap, end: bool) -> bool:
        """Headers are about to go to the client; whether they may."""
        status = wire.status(headers)
        if status is None:
            self._send_directly(Response(502, [], b"missing required header: :status", "", -1))
            return False
        for name in wire.HOP_BY_HOP:
            headers.remove(name)
        if headers.get(b"date") is None:
            headers.add(b"date", _DATE)
        headers.put(b"server", b"envoy")
        if not self.complete:
            headers.add(b"connection", b"close")
        self._response = headers
        self.received.status = self.facts.code = status
        found = wire.response_lines(headers, not end, self._head_only)
        self.received.headers = found.lines
        if not self._head_only and status not in _BODILESS:
            self.received.body += found.rest
            self.received.endless = not found.framed
        return True

    @property
    def full(self) -> bool:
        """Whether the cluster has to wait with the rest of its answer."""
        return any(each.response.stage.full for each in self._filters)

    @property
    def head_only(self) -> bool:
        """Whether the client wants no body."""
        return self._head_only

    def disconnect(self) -> None:
        """The client is gone."""
        self.facts.details = "downstream_remote_disconnect"
        self.facts.flags |= _DISCONNECTED
        self.finish()

    def finish(self) -> None:
        """The stream is over, whatever of it was under way."""
        if self.over:
            return
        self.over = True
        self.facts.ended = self.world.clock.now
        self._abort_decoding()
        for each in self._filters:
            each.response.stage.aborted = True
        for each in self._filters:
            each.end(self.request, self._response, self._trailers)


class _Client:
    """The end of the response: what the client reads."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._length: int | None = None
        self._came = 0

    def headers(self, headers: HeaderMap, end: bool) -> None:
        """See stages.Sink."""
        if self._exchange.over or not self._exchange.client_headers(headers, end):
            return
        length = headers.get(b"content-length")
        self._length = int(length) if length is not None and length.isdigit() else None
        if end:
            self._end()

    def data(self, data: bytearray, end: bool) -> None:
        """See stages.Sink."""
        exchange = self._exchange
        if exchange.over:
            return
        exchange.facts.response_size += len(data)
        self._came += len(data)
        if not exchange.head_only and exchange.received.status not in _BODILESS:
            exchange.received.body += data
        if end:
            self._end()

    def trailers(self, trailers: HeaderMap) -> None:
        """See stages.Sink."""
        exchange = self._exchange
        if exchange.over:
            return
        exchange.tailing(trailers)
        if self._length is None and not exchange.head_only and exchange.received.status not in _BODILESS:
            exchange.received.trailers = wire.read(trailers.pairs).lines
        self._end()

    def _end(self) -> None:
        received = self._exchange.received
        if received.endless:  # its client waits for the end of the connection
            self._exchange.linger()
        elif self._length is not None and not self._exchange.head_only and received.status not in _BODILESS:
            del received.body[self._length :]
            received.outcome = "response" if self._came >= self._length else "timeout"
        else:
            received.outcome = "response"
        self._exchange.finish()


def run(exchange: Exchange, request: Request, timeout: float, request_id: bytes) -> Received:
    """Send a request, piece by piece, and wait for its answer up to ``timeout`` milliseconds."""
    world = exchange.world
    end = world.clock.now + int(timeout * 1_000_000)
    _Sender(exchange, request).begin(request_id)
    world.clock.run(timeout, lambda: not exchange.over)
    if not exchange.over:
        world.clock.sleep(max(0, (end - world.clock.now) / 1_000_000))
        exchange.disconnect()
    world.clock.sleep(_TURN)
    if exchange.received.outcome == "timeout" or exchange.closing > end:
        exchange.received = Received()
    elif exchange.received.outcome == "reset":  # what came before is no answer
        exchange.received = Received("reset")
    world.settle()
    return exchange.received


class _Sender:
    """The client, as it sends: each piece when the one before has been taken, and what came of it is done."""

    def __init__(self, exchange: Exchange, request: Request) -> None:
        self._exchange, self._request = exchange, request
        self._rest: deque[Callable[[], None]] = deque()

    def begin(self, request_id: bytes) -> None:
        """Send the headers now, and the rest when it is due."""
        request = self._request
        headers = wire.request_headers(request.method, request.path, request.headers, request_id)
        sized = headers.get(b"content-length")
        nothing = request.body is None or (sized is not None and sized.strip(b"0") == b"")
        if not nothing:
            self._queue([piece for piece in request.body or () if piece], sized is not None)
        self._exchange.headers(headers, nothing)
        self._later(wire.PIECE)

    def _queue(self, pieces: list[bytes], sized: bool) -> None:
        """The end comes by itself, but for a body that says how long it is: there it is with the last piece."""
        self._rest.extend(partial(self._exchange.data, piece, False) for piece in pieces)
        last = self._rest.pop() if sized and self._rest else None
        end = self._exchange.data if sized or not self._request.trailers else None

        def finish() -> None:
            if last is not None:
                last()
            if end is not None:
                end(b"", True)
            else:
                self._exchange.trailers(self._request.trailers)

        self._rest.append(finish)

    def _later(self, milliseconds: float) -> None:
        if self._rest and not self._exchange.over:
            self._exchange.world.clock.after(milliseconds, self._next)

    def _next(self) -> None:
        if self._exchange.stalled():
            self._later(_STALL)
            return
        self._rest.popleft()()
        self._later(wire.PIECE)
