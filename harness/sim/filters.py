"""A stream's context: a plugin as an HTTP filter, with its two directions.

Source: Envoy, source/extensions/common/wasm/context.cc (decodeHeaders to encodeTrailers, getMap, getBuffer, log,
onDestroy) and proxy-wasm-cpp-host, src/context.cc (what callbacks' answers mean, and failed VMs).
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from autowasm.abi.tables import BufferType, MapType, Status
from harness.sim import properties
from harness.sim.contexts import EMPTY, Context, Response, Root
from harness.sim.host import Host
from harness.sim.maps import HeaderMap, Kind
from harness.sim.plugin import Plugin
from harness.sim.stages import OnData, OnHeaders, Stage
from harness.sim.world import Ends

FAILED: Final = Response(503, [], b"", "wasm_fail_stream", 14)


class Stream(Protocol):
    """What a filter does to its stream."""

    facts: properties.Facts

    def answer(self, response: Response) -> None:
        """Answer instead of the application."""
        ...

    def reset(self) -> None:
        """End without an answer."""
        ...

    def reroute(self) -> None:
        """Forget which route was chosen."""
        ...


class Direction:
    """One direction of a filter: what is there at the moment, and its stage."""

    __slots__ = ("_filter", "_names", "body", "buffering", "map", "stage", "tail")

    def __init__(self, owner: Filter, names: tuple[str, str, str]) -> None:
        self._filter, self._names = owner, names
        self.map: HeaderMap | None = None
        self.body: bytearray | None = None
        self.tail: HeaderMap | None = None
        self.buffering = False
        self.stage: Stage

    def on_headers(self, headers: HeaderMap, end: bool) -> OnHeaders:
        """See stages.Handler."""
        self._filter.create(self._names[0])  # which sees no headers yet
        self.map = headers
        size = (len(headers.pairs),)
        status = self._filter.on_headers(self._names[0], size, end)
        if status in (OnHeaders.CONTINUE, OnHeaders.END):
            self.map = None
        return status

    def on_data(self, data: bytearray, end: bool) -> OnData:
        """See stages.Handler."""
        if self._filter.passive(self):
            return OnData.CONTINUE
        if self.buffering:
            self.stage.hold(data)
            if self.stage.aborted and self is self._filter.response:
                return OnData.BUFFER  # it was too much, and the stream is answered or gone
        self.body = data
        size = len(self.visible() or b"")
        status = self._filter.on_data(self._names[1], size, end)
        self.buffering = status is OnData.BUFFER
        if status is OnData.CONTINUE:
            self.body = None
        return status

    def on_trailers(self, trailers: HeaderMap) -> bool:
        """See stages.Handler."""
        if self._filter.passive(self):
            return True
        self.tail = trailers
        goes = self._filter.on_trailers(self._names[2], len(trailers.pairs))
        if goes:
            self.tail = None
        return goes

    def visible(self) -> bytearray | None:
        """The body as the module sees it: all that is held back while it buffers, else the part at hand."""
        if not self.buffering:
            return self.body
        return bytearray() if self.stage.held is None else self.stage.held

    def trailers(self, kind: Kind) -> HeaderMap | None:
        """Trailers to be changed: with the last part of a body there are none yet, and they are made."""
        if self.tail is None and self.body is not None and self._filter.at_end:
            self.tail = self.stage.tail = HeaderMap(kind)
        return self.tail

    def forget(self) -> None:
        """Nothing of this direction can be seen any more."""
        self.map = self.body = self.tail = None


_REQUEST: Final = ("proxy_on_request_headers", "proxy_on_request_body", "proxy_on_request_trailers")
_RESPONSE: Final = ("proxy_on_response_headers", "proxy_on_response_body", "proxy_on_response_trailers")


class Filter(Context):
    """A plugin in a stream. Without a host (a module that was not loaded, a VM that has failed) all is answered 503."""

    def __init__(self, host: Host | None, root: Root | None, plugin: Plugin, stream: Stream) -> None:
        self.host, self.plugin, self.stream = host, plugin, stream
        if host is not None and root is not None:
            super().__init__(host, 0, plugin)
            self.root = root
            host.adopt(self)
        self.request = Direction(self, _REQUEST)
        self.response = Direction(self, _RESPONSE)
        self.at_end = self.over = False
        self.created = False
        self._creating = self._passing_tail = False
        self._answered_for = False
        self._log: dict[MapType, HeaderMap | None] | None = None

    # ------------------------------------------------------------------ callbacks

    def passive(self, direction: Direction) -> bool:
        """Whether the VM is not asked: it has never seen the stream, or its failure was answered already."""
        return not self.created or (direction is self.response and self._answered_for)

    def _broken(self) -> bool:
        """Whether the VM has failed; if so, the stream is answered for it, once."""
        if self.host is not None and not self.host.failure:
            return False
        if not self._answered_for:
            self._answered_for = True
            self.stream.answer(FAILED)
        return True

    def create(self, name: str) -> None:
        """Tell the module of the stream, when its request begins."""
        if name is _REQUEST[0]:
            self._create()

    def _create(self) -> None:
        if not self.created:
            self.created = self._creating = True
            if self.host is not None:
                self.host.call(self, "proxy_on_context_create", self.number, self.root.number)
            self._creating = False

    def on_headers(self, name: str, size: tuple[int], end: bool) -> OnHeaders:
        """Ask the module about headers."""
        if name is _RESPONSE[0] and self.passive(self.response):
            return OnHeaders.CONTINUE
        self.at_end = end
        if self._broken():
            return OnHeaders.STOP_ALL
        host = self.host
        assert host is not None
        arguments = size if host.abi == "0.1.0" else (*size, int(end))
        answer = host.begin(self, name, self.number, *arguments)
        status = self._means(answer)
        if self._broken():
            status = OnHeaders.STOP_ALL
        host.finish()
        return status

    def _means(self, answer: int | None) -> OnHeaders:
        assert self.host is not None
        if answer is None and not self.host.stopped:
            return OnHeaders.CONTINUE
        if self.host.stopped or answer is None or answer > OnHeaders.STOP_ALL:
            return OnHeaders.STOP_ALL
        if answer == OnHeaders.STOP and not self.plugin.stops_on_headers:
            return OnHeaders.STOP_ALL
        return OnHeaders(answer)

    def on_data(self, name: str, size: int, end: bool) -> OnData:
        """Ask the module about a part of a body."""
        self.at_end = end
        if self._broken():
            return OnData.NO_BUFFER
        assert self.host is not None
        answer = self.host.begin(self, name, self.number, size, int(end))
        if self._broken() or self.host.stopped or (answer or 0) > OnData.NO_BUFFER:
            status = OnData.NO_BUFFER
        else:
            status = OnData(answer or 0)
        self.host.finish()
        return status

    def on_trailers(self, name: str, size: int) -> bool:
        """Ask the module about trailers."""
        if self._broken():
            return False
        assert self.host is not None
        answer = self.host.begin(self, name, self.number, size)
        goes = not (self._broken() or self.host.stopped or answer)
        self._passing_tail = goes and name is _RESPONSE[2]
        self.host.finish()
        self._passing_tail = False
        return goes

    def end(self, request: HeaderMap | None, response: HeaderMap | None, trailers: HeaderMap | None) -> None:
        """The stream is over: let the module log it, then forget it."""
        if self.host is None:
            return
        self.over = True
        if not self.host.failure:
            self._create()
            self._log = {
                MapType.HTTP_REQUEST_HEADERS: request,
                MapType.HTTP_RESPONSE_HEADERS: response,
                MapType.HTTP_RESPONSE_TRAILERS: trailers,
            }
            self.host.call(self, "proxy_on_log", self.number)
            self._log = None
            self.host.call(self, "proxy_on_done", self.number)
            self.host.call(self, "proxy_on_delete", self.number)
        self.host.contexts.pop(self.number, None)

    # ------------------------------------------------------------------ what host functions use

    @property
    def logging(self) -> bool:
        """See Context."""
        return self._log is not None

    def changeable(self, kind: MapType) -> HeaderMap | None:
        """See Context."""
        if kind is MapType.HTTP_REQUEST_HEADERS:
            return self.request.map
        if kind is MapType.HTTP_RESPONSE_HEADERS:
            return self.response.map
        if kind is MapType.HTTP_REQUEST_TRAILERS:
            return self.request.trailers(Kind.REQUEST_TRAILERS)
        if kind is MapType.HTTP_RESPONSE_TRAILERS:
            return self.response.trailers(Kind.RESPONSE_TRAILERS)
        return None

    def readable(self, kind: MapType) -> HeaderMap | None:
        """See Context."""
        if kind > MapType.HTTP_RESPONSE_TRAILERS:
            return super().readable(kind)
        if self._log is not None:
            return self._log.get(kind)
        direction = self.request if kind <= MapType.HTTP_REQUEST_TRAILERS else self.response
        headers = kind in (MapType.HTTP_REQUEST_HEADERS, MapType.HTTP_RESPONSE_HEADERS)
        return direction.map if headers else direction.tail

    def touched(self, kind: MapType) -> None:
        """See Context: changed request headers choose another route."""
        if kind is MapType.HTTP_REQUEST_HEADERS:
            self.stream.reroute()

    def buffer(self, kind: BufferType) -> bytes | bytearray | None:
        """See Context."""
        if kind is BufferType.HTTP_REQUEST_BODY:
            found = self.request.visible()
            return EMPTY if found is None else found
        if kind is BufferType.HTTP_RESPONSE_BODY:
            found = self.response.visible()
            return EMPTY if found is None else found
        return super().buffer(kind)

    def proceed(self, request: bool) -> None:
        """See Context. Whichever direction goes on, the request cannot be seen any more."""
        direction = self.request if request else self.response

        def resume() -> None:
            if not request and (self._passing_tail or not (self.over or direction.stage.begun)):
                raise _end(
                    "a response must have begun and be paused before it goes on", "proxy_continue_stream"
                )
            direction.stage.resume()

        self.machine.later(resume)
        self.request.forget()

    def close(self, request: bool) -> None:
        """See Context."""
        del request

        def reset() -> None:
            if self._creating or self.over or self._passing_tail:
                raise _end("a stream must be there, and not at its end", "proxy_close_stream")
            self.stream.reset()

        self.machine.later(reset)

    def respond(self, response: Response) -> None:
        """See Context."""

        def answer() -> None:
            if self.over:
                raise _end("a stream must not be at its end", "proxy_send_local_response")
            self.stream.answer(response)

        self.machine.later(answer)

    def property(self, name: bytes) -> Any:
        """See Context."""
        if self._log is not None:
            request, response = (
                self._log.get(kind) for kind in (MapType.HTTP_REQUEST_HEADERS, MapType.HTTP_RESPONSE_HEADERS)
            )
            trailers = self._log.get(MapType.HTTP_RESPONSE_TRAILERS)
        else:
            request, response, trailers = self.request.map, self.response.map, self.response.tail
        seen = properties.Seen(request, response, trailers)
        return properties.find(self, self.stream.facts, seen, name)

    def keep(self, path: bytes, value: bytes) -> Status:
        """See Context."""
        if self.root.declared.get(path) and path in self.stream.facts.state:
            return Status.BAD_ARGUMENT
        self.stream.facts.state[path] = value
        return Status.OK

    def reroute(self) -> None:
        """See Context."""
        self.stream.reroute()


def _end(rule: str, name: str) -> Ends:
    """The host goes through a null pointer, or one to what is gone: measured on Envoy 1.36 and 1.40."""
    return Ends(f"SIGSEGV: Envoy ends itself: {name}: {rule}")
