"""Calls from a VM to clusters, and how their answers come back to the root context.

Source: Envoy, source/common/http/async_client_impl.cc and source/common/grpc/async_client_impl.cc, as a plugin sees
them: an answer comes whole, a call out of time is a 504 that the proxy makes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from autowasm.abi.tables import MapType, Status
from harness.sim import local, wire
from harness.sim.clock import Timer
from harness.sim.contexts import Machine, Response, Root
from harness.sim.grpcservice import Service
from harness.sim.maps import HeaderMap, Kind, Pair
from harness.sim.upstream import Reply
from harness.sim.world import World

HTTP_CALL, GRPC_CALL, GRPC_STREAM = range(3)
"""What a token tells in its low two bits (wasm.h, CalloutType)."""
UNAVAILABLE: Final = 14
INTERNAL: Final = 13
"""Statuses of gRPC."""
_UNKNOWN: Final = 2
_OK: Final = 200
_SOURCE: Final = b"via_upstream"


@dataclass(slots=True)
class Request:
    """What is sent; ``timeout`` in milliseconds, 0 for none."""

    cluster: str
    headers: HeaderMap
    body: bytes = b""
    trailers: tuple[Pair, ...] = ()
    timeout: int = 0
    stream: bool = False


@dataclass(slots=True)
class Call:
    """A call under way."""

    request: Request
    timers: list[Timer] = field(default_factory=list)
    sent: bytearray = field(default_factory=bytearray)
    local_closed: bool = False
    remote_closed: bool = False
    waiting: bool = False
    prompt: bool = False

    def end(self, world: World) -> None:
        """Nothing of it happens any more."""
        for timer in self.timers:
            timer.cancel()
        world.pending -= self.waiting
        world.prompt -= self.prompt
        self.waiting = self.prompt = False


def _token(vm: Machine, root: Root, kind: int, request: Request) -> tuple[int, Call]:
    call = Call(request)
    token = vm.number_call(kind)
    root.calls[token] = call
    return token, call


def http(vm: Machine, root: Root, request: Request) -> int:
    """Start an HTTP call; the answer's number."""
    token, call = _token(vm, root, HTTP_CALL, request)
    headers = request.headers
    if request.body:
        headers.put(b"content-length", b"%d" % len(request.body))
    headers.put(b"x-envoy-internal", b"true")
    if request.timeout:
        headers.put(b"x-envoy-expected-rq-timeout-ms", b"%d" % request.timeout)
    _start(vm, call, lambda reply: _http_answer(vm, root, token, reply))
    return token


@dataclass(frozen=True, slots=True)
class Failed:
    """A call that the proxy answers itself."""

    status: int
    text: bytes
    details: bytes


_TIMED_OUT: Final = Failed(504, b"upstream request timeout", b"response_timeout")


def _start(vm: Machine, call: Call, answer: Callable[[Reply | Failed], None]) -> None:
    """Send a request. ``answer`` gets what came of it."""
    world, request = vm.world, call.request
    call.waiting, call.prompt = True, request.cluster not in world.clusters.slow
    world.pending += 1
    world.prompt += call.prompt

    def end(reply: Reply | Failed) -> None:
        call.end(world)
        answer(reply)

    def arrive() -> None:
        fault = wire.fault(request.headers)
        if fault:
            end(Failed(503, fault, b"http1.codec_error"))
            return
        rest = wire.Rest(request.body) if request.body else None  # trailers are never sent
        reply = world.clusters.ask(wire.sent(request.cluster, request.headers, rest))
        call.timers.append(world.clock.after(reply.delay + wire.CALL, lambda: end(reply)))

    if request.timeout:
        call.timers.append(world.clock.after(request.timeout, lambda: end(_TIMED_OUT)))
    call.timers.append(world.clock.after(wire.HOP, arrive))


_HEARS: Final = "proxy_on_http_call_response"


def _http_answer(vm: Machine, root: Root, token: int, reply: Reply | Failed) -> None:
    if token not in root.calls:
        return
    if isinstance(reply, Failed):
        made = Response(reply.status, [], reply.text, "", -1)
        headers, body = local.reply(made, grpc=False)
        trailers = HeaderMap(Kind.RESPONSE_TRAILERS)
    else:
        headers = wire.response_headers(reply, root.calls[token].request.headers.get(b":method") or b"")
        headers.put(b"x-envoy-upstream-service-time", b"%d" % reply.delay)
        body = b"".join(reply.body)
        trailers = HeaderMap(Kind.RESPONSE_TRAILERS, reply.trailers)
    root.answer_maps[MapType.HTTP_CALL_RESPONSE_HEADERS] = headers
    if trailers.pairs:
        root.answer_maps[MapType.HTTP_CALL_RESPONSE_TRAILERS] = trailers
    root.answer_body = body

    def forget() -> None:
        root.answer_gone = False
        root.answer_body = None
        root.answer_maps.clear()
        root.calls.pop(token, None)

    vm.later(forget)
    if not vm.exports(_HEARS):  # nothing is called, behind which it would be forgotten
        root.answer_gone = True
        return
    sizes = len(headers.pairs), len(body), len(trailers.pairs)
    vm.call(root, _HEARS, root.number, token, *sizes)


# ------------------------------------------------------------------------------- gRPC


@dataclass(frozen=True, slots=True)
class Method:
    """What is called over gRPC; ``timeout`` in milliseconds, 0 for none."""

    service: Service
    package: bytes
    name: bytes
    metadata: tuple[Pair, ...] = ()
    timeout: int = 0


def grpc_request(wanted: Method, message: bytes | None) -> Request:
    """A gRPC request; no message opens a stream."""
    timeout, service = wanted.timeout, wanted.service
    path = b"/" + wanted.package + b"/" + wanted.name
    host = (service.authority or service.cluster).encode()
    headers = HeaderMap(
        Kind.REQUEST,
        ((b":method", b"POST"), (b":path", path), (b":authority", host), (b":scheme", b"http")),
    )
    headers.add(b"te", b"trailers")
    if message is not None:  # a stream has none, and a call's may be of no length, which is none in fact
        headers.add(b"grpc-timeout", b"%dm" % timeout)
    headers.add(b"content-type", b"application/grpc")
    for name, value in service.metadata:
        headers.replace(name, value)
    for name, value in wanted.metadata:
        headers.add(name, value)
    if not service.bare:
        headers.put(b"x-envoy-internal", b"true")
    if timeout:
        headers.put(b"x-envoy-expected-rq-timeout-ms", b"%d" % timeout)
    body = b"" if message is None else frame(message)
    return Request(service.cluster, headers, body, (), timeout, stream=message is None)


def unreachable(vm: Machine, root: Root, status: int, *, stream: bool) -> int:
    """A call that ends at once, which the module is told when it has returned; its number."""
    token, call = _token(vm, root, GRPC_STREAM if stream else GRPC_CALL, Request("", HeaderMap(Kind.REQUEST)))
    call.local_closed = True
    vm.later(lambda: _grpc_closed(vm, root, token, (status, b"")))
    return token


def frame(message: bytes) -> bytes:
    """A message as gRPC sends it: not compressed, its length, itself."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def messages(data: bytes) -> tuple[list[bytes], bool]:
    """The messages in a body, an incomplete one left out, and whether they can be read."""
    found: list[bytes] = []
    at = 0
    while at + 5 <= len(data):
        if data[at] > 1:
            return found, False
        end = at + 5 + int.from_bytes(data[at + 1 : at + 5], "big")
        if end > len(data):
            break
        found.append(data[at + 5 : end])
        at = end
    return found, True


def grpc(vm: Machine, root: Root, request: Request) -> int:
    """Start a gRPC call, or open a stream; its number."""
    token, call = _token(vm, root, GRPC_STREAM if request.stream else GRPC_CALL, request)
    if not request.stream:
        _start(vm, call, lambda reply: _grpc_answer(vm, root, token, reply))
    return token


def _grpc_answer(vm: Machine, root: Root, token: int, reply: Reply | Failed) -> None:
    call = root.calls.get(token)
    if call is None:
        return
    if isinstance(reply, Failed):
        _grpc_closed(vm, root, token, (UNAVAILABLE, reply.text + b"{" + reply.details + b"}"))
        return
    headers = wire.response_headers(reply, b"POST")
    headers.put(b"x-envoy-upstream-service-time", b"%d" % reply.delay)
    trailers = HeaderMap(Kind.RESPONSE_TRAILERS, reply.trailers)
    if not wire.has_body(reply, b"POST"):  # headers only are trailers too
        headers, trailers = HeaderMap(Kind.RESPONSE), headers
    elif reply.status != _OK:
        headers = HeaderMap(Kind.RESPONSE)
    found, fine = messages(b"".join(reply.body))
    status = _outcome(reply, trailers, fine=fine)
    if call.request.stream:
        _streamed(vm, root, token, (headers, found, trailers))
        _grpc_closed(vm, root, token, status)
    elif status[0] or not found:
        _grpc_closed(vm, root, token, (status[0] or INTERNAL, status[1]))
    else:
        root.calls.pop(token, None)
        _received(vm, root, token, found[-1])


def _streamed(vm: Machine, root: Root, token: int, parts: tuple[HeaderMap, list[bytes], HeaderMap]) -> None:
    headers, found, trailers = parts
    _told(vm, root, token, MapType.GRPC_CALL_INITIAL_METADATA, headers)
    for message in found:
        _received(vm, root, token, message)
    _told(vm, root, token, MapType.GRPC_CALL_TRAILING_METADATA, trailers)


def _received(vm: Machine, root: Root, token: int, message: bytes) -> None:
    root.grpc_message = message
    vm.later(lambda: setattr(root, "grpc_message", b""))
    vm.call(root, "proxy_on_grpc_receive", root.number, token, len(message))


_TELLS: Final = {
    MapType.GRPC_CALL_INITIAL_METADATA: "proxy_on_grpc_receive_initial_metadata",
    MapType.GRPC_CALL_TRAILING_METADATA: "proxy_on_grpc_receive_trailing_metadata",
}


def _told(vm: Machine, root: Root, token: int, kind: MapType, headers: HeaderMap) -> None:
    root.answer_maps[kind] = headers
    vm.later(root.answer_maps.clear)
    vm.call(root, _TELLS[kind], root.number, token, len(headers.pairs))


def _outcome(reply: Reply, trailers: HeaderMap, *, fine: bool) -> tuple[int, bytes]:
    """A call's status and its message, behind which the proxy notes who said so."""
    status = trailers.get(b"grpc-status")
    if not fine:
        return INTERNAL, _SOURCE
    if reply.status != _OK and status is None:
        return wire.GRPC_OF_HTTP.get(reply.status, _UNKNOWN), _SOURCE
    code = int(status) if status is not None and status.isdigit() else _UNKNOWN
    text = trailers.get(b"grpc-message") or b""
    return code, text + b"{" + _SOURCE + b"}" if text else _SOURCE


def _grpc_closed(vm: Machine, root: Root, token: int, status: tuple[int, bytes]) -> None:
    call = root.calls.get(token)
    if call is None:
        return
    call.remote_closed = True
    if not call.request.stream or call.local_closed:
        root.calls.pop(token, None)
    root.status = status
    vm.later(lambda: setattr(root, "status", (status[0], b"")))
    vm.call(root, "proxy_on_grpc_close", root.number, token, status[0])


def send(vm: Machine, root: Root, token: int, message: bytes, end: bool) -> int:
    """Send a message into a stream."""
    if token & 3 != GRPC_STREAM:
        return Status.BAD_ARGUMENT
    call = root.calls.get(token)
    if call is None:
        return Status.NOT_FOUND
    call.sent += frame(message)
    if end:
        _finish(vm, root, token, call)
    return Status.OK


def _finish(vm: Machine, root: Root, token: int, call: Call) -> None:
    if not call.local_closed:
        call.local_closed = True
        call.request.body = bytes(call.sent)
        _start(vm, call, lambda reply: _grpc_answer(vm, root, token, reply))


def cancel(vm: Machine, root: Root, token: int) -> int:
    """End a call or a stream; nobody is told."""
    if token & 3 not in (GRPC_CALL, GRPC_STREAM):
        return Status.BAD_ARGUMENT
    call = root.calls.pop(token, None)
    if call is None:
        return Status.NOT_FOUND
    call.end(vm.world)
    return Status.OK


def close(vm: Machine, root: Root, token: int) -> int:
    """End a call, or our side of a stream."""
    call = root.calls.get(token)
    if token & 3 != GRPC_STREAM or call is None:
        return cancel(vm, root, token)
    _finish(vm, root, token, call)
    return Status.OK
