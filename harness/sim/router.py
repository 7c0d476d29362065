"""The end of the request's chain: a request goes to its cluster, and the answer comes back to the filters.

Source: Envoy, source/common/router/router.cc, and source/common/http/http1/codec_impl.cc for what cannot be sent.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from harness.sim import wire
from harness.sim.clock import Timer
from harness.sim.contexts import Response
from harness.sim.maps import HeaderMap, Kind
from harness.sim.properties import Facts
from harness.sim.stages import Sink
from harness.sim.upstream import Reply
from harness.sim.world import World

_NO_ROUTE: Final = 1 << 8
_TIMED_OUT: Final = 1 << 2
"""Response flags (envoy/stream_info/stream_info.h, CoreResponseFlag)."""
_STALL: Final = 5.0


class Route(Protocol):
    """Where requests go."""

    @property
    def cluster(self) -> str:
        """A name."""
        ...

    @property
    def timeout(self) -> float:
        """Milliseconds, 0 for none."""
        ...


class Owner(Protocol):
    """The stream."""

    world: World
    facts: Facts

    @property
    def route(self) -> Route:
        """Where its requests go."""
        ...

    def answer(self, response: Response) -> None:
        """Answer instead of the cluster."""
        ...

    def responding(self, headers: HeaderMap) -> None:
        """The cluster's headers are there."""
        ...

    @property
    def full(self) -> bool:
        """Whether the answer's rest has to wait."""
        ...

    def tailing(self, trailers: HeaderMap) -> None:
        """The cluster's trailers are there."""
        ...


class Router:
    """See stages.Sink; ``back`` is where answers go."""

    def __init__(self, owner: Owner, back: Callable[[], Sink]) -> None:
        self._owner, self._back = owner, back
        self._headers: HeaderMap | None = None
        self._body = bytearray()
        self._trailers: HeaderMap | None = None
        self._timers: list[Timer] = []
        self._gone = self._bare = self._early = self._sent = self._complete = False

    def abandon(self) -> None:
        """Nobody waits for the answer any more."""
        self._gone = True
        for timer in self._timers:
            timer.cancel()

    def headers(self, headers: HeaderMap, end: bool) -> None:
        """See stages.Sink."""
        if self._gone:
            return
        if self._headers is not None:
            self._once_more(end)
            return
        if not (headers.get(b":path") or b"").startswith(b"/") or not headers.get(b"x-forwarded-proto"):
            self._owner.facts.route = None
            self._owner.facts.flags |= _NO_ROUTE
            self._owner.answer(Response(404, [], b"", "route_not_found", -1))
            return
        if self._owner.route.cluster not in self._owner.world.clusters.answers:
            self._owner.answer(Response(503, [], b"", "cluster_not_found", -1))
            return
        timeout = self._owner.route.timeout
        if timeout:
            headers.put(b"x-envoy-expected-rq-timeout-ms", b"%d" % timeout)
        fault = wire.fault(headers)
        if fault:
            self._owner.answer(Response(503, [], fault, "http1.codec_error", -1))
            return
        # They are written as soon as there is a connection, which is before anything else of the request comes: a
        # filter that still has them changes what is logged of them, and no more (upstream_codec_filter.cc).
        self._headers, self._bare, self._complete = headers.copy(), end, end
        self._owner.facts.routed = True
        if end:
            self._send()

    def _once_more(self, end: bool) -> None:
        """A filter went on with a request that was not paused: it goes out twice, and the first answer counts."""
        headers, owner = self._headers, self._owner
        if end and headers is not None:
            again = wire.sent(owner.route.cluster, headers, None)

            def arrive() -> None:
                owner.world.clusters.ask(again)

            owner.world.clock.after(wire.HOP, arrive)

    def data(self, data: bytearray, end: bool) -> None:
        """See stages.Sink."""
        self._body += data
        if end:
            self._complete = True
            self._send()
        elif self._headers is not None and not self._early:
            length = self._headers.get(b"content-length")
            if length and length.isdigit() and len(self._body) >= int(length):
                self._early = True  # the cluster has all it was told of, and answers while more is on its way
                self._send()

    def trailers(self, trailers: HeaderMap) -> None:
        """See stages.Sink."""
        self._trailers, self._complete = trailers, True
        self._send()

    def _send(self) -> None:
        if self._gone or self._headers is None or self._sent:
            return
        self._sent = True
        clock = self._owner.world.clock
        if self._owner.route.timeout:
            self._timers.append(clock.after(self._owner.route.timeout, self._timed_out))
        self._timers.append(clock.after(0 if self._early else wire.HOP, self._arrive))

    def _timed_out(self) -> None:
        if not self._gone:
            self._gone = True
            self._owner.facts.flags |= _TIMED_OUT
            self._owner.answer(Response(504, [], b"upstream request timeout", "response_timeout", -1))

    def _arrive(self) -> None:
        headers = self._headers
        assert headers is not None
        length = headers.get(b"content-length")
        if length and not length.isdigit():
            return  # the cluster cannot make sense of it
        if length:
            if len(self._body) < int(length):
                return  # the cluster waits for the rest
            del self._body[int(length) :]
        trailers = tuple(self._trailers.pairs) if self._trailers is not None else ()
        owner = self._owner
        owner.facts.reached = True
        rest = wire.Rest(bytes(self._body), trailers)
        request = wire.sent(owner.route.cluster, headers, None if self._bare else rest)
        reply = owner.world.clusters.ask(request)
        self._timers.append(
            owner.world.clock.after(
                reply.delay + (0 if self._early else wire.HOP), lambda: self._answer(reply)
            )
        )

    def _answer(self, reply: Reply) -> None:
        assert self._headers is not None
        method = self._headers.get(b":method") or b""
        headers = wire.response_headers(reply, method)
        if self._complete:  # else nobody knows when the cluster had the whole request
            headers.put(b"x-envoy-upstream-service-time", b"%d" % reply.delay)
        self._owner.responding(headers)
        body = wire.has_body(reply, method)
        for timer in self._timers:
            timer.cancel()
        pieces = list(reply.body) if body else []
        for number, piece in enumerate(pieces, 1):
            self._later(wire.PIECE * number, partial(self._piece, piece))
        if body:
            sized = headers.get(b"content-length") is not None
            self._later(wire.PIECE * (len(pieces) + (not sized)), lambda: self._end(reply, sized))
        self._back().headers(headers, not body)

    def _piece(self, piece: bytes) -> None:
        self._back().data(bytearray(piece), False)

    def _later(self, milliseconds: float, action: Callable[[], None]) -> None:
        def act() -> None:
            if self._owner.full and not self._gone:
                self._later(_STALL, action)
            elif not self._gone:
                action()

        self._timers.append(self._owner.world.clock.after(milliseconds, act))

    def _end(self, reply: Reply, sized: bool) -> None:
        if reply.trailers and not sized:
            trailers = HeaderMap(Kind.RESPONSE_TRAILERS, reply.trailers)
            self._owner.tailing(trailers)
            self._back().trailers(trailers)
        else:
            self._back().data(bytearray(), True)
