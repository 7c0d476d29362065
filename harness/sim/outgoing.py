"""Calls from a VM to clusters, and how their answers come back to the root context.

Source: Envoy, source/common/http/async_client_impl.cc and source/common/grpc/async_client_impl.cc, as a plugin sees
them: an answer comes whole, a call out of time is a 504 that the proxy makes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from autowasm.abi.tables import MapType, Status
from harness.sim import wire
from harness.sim.clock import Timer
from harness.sim.contexts import Machine, Root
from harness.sim.maps import HeaderMap, Kind, Pair
from harness.sim.upstream import Reply
from harness.sim.world import World

HTTP_CALL, GRPC_CALL, GRPC_STREAM = range(3)
"""What a token tells in its low two bits (wasm.h, CalloutType)."""
_TIMED_OUT: Final = b"upstream request timeout"
_UNAVAILABLE: Final = 14
_DEADLINE: Final = 4
_UNKNOWN: Final = 2


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

    def end(self, world: World) -> None:
        """Nothing of it happens any more."""
        for timer in self.timers:
            timer.cancel()
        world.pending -= self.waiting
        self.waiting = False


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


def _start(vm: Machine, call: Call, answer: Callable[[Reply | None], None]) -> None:
    """Send a request. ``answer`` gets what came back, None after the time-out."""
    world, request = vm.world, call.request
    world.pending += 1
    call.waiting = True

    def end(reply: Reply | None) -> None:
        call.end(world)
        answer(reply)

    def arrive() -> None:
        rest = wire.Rest(request.body) if request.body else None  # trailers are never sent
        reply = world.clusters.ask(wire.sent(request.cluster, request.headers, rest))
        call.timers.append(world.clock.after(reply.delay + wire.CALL, lambda: end(reply)))

    if request.timeout:
        call.timers.append(world.clock.after(request.timeout, lambda: end(None)))
    call.timers.append(world.clock.after(wire.HOP, arrive))


def _http_answer(vm: Machine, root: Root, token: int, reply: Reply | None) -> None:
    if token not in root.calls:
        return
    if reply is None:
        timed_out = (b":status", b"504"), (b"content-length", b"24"), (b"content-type", b"text/plain")
        headers, body, trailers = (
            HeaderMap(Kind.RESPONSE, timed_out),
            _TIMED_OUT,
            HeaderMap(Kind.RESPONSE_TRAILERS),
        )
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
        root.answer_body = None
        root.answer_maps.clear()
        root.calls.pop(token, None)

    vm.later(forget)
    sizes = len(headers.pairs), len(body), len(trailers.pairs)
    vm.call(root, "proxy_on_http_call_response", root.number, token, *sizes)


# ------------------------------------------------------------------------------- gRPC


def grpc_request(
    target: tuple[str, bytes, bytes], metadata: list[Pair], message: bytes | None, timeout: int
) -> Request:
    """A gRPC request: ``target`` is cluster, service and method; no message opens a stream."""
    cluster, service, method = target
    path = b"/" + service + b"/" + method
    headers = HeaderMap(
        Kind.REQUEST,
        ((b":method", b"POST"), (b":path", path), (b":authority", cluster.encode()), (b":scheme", b"http")),
    )
    for name, value in ((b"te", b"trailers"), (b"grpc-timeout", b"%dm" % timeout)):
        if name == b"te" or timeout:
            headers.add(name, value)
    headers.add(b"content-type", b"application/grpc")
    for name, value in metadata:
        headers.add(name, value)
    body = b"" if message is None else frame(message)
    return Request(cluster, headers, body, (), timeout, stream=message is None)


def frame(message: bytes) -> bytes:
    """A message as gRPC sends it: not compressed, its length, itself."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def messages(data: bytes) -> list[bytes]:
    """The messages in a body; an incomplete one is left out."""
    found, at = [], 0
    while at + 5 <= len(data):
        end = at + 5 + int.from_bytes(data[at + 1 : at + 5], "big")
        if end > len(data):
            break
        found.append(data[at + 5 : end])
        at = end
    return found


def grpc(vm: Machine, root: Root, request: Request) -> int:
    """Start a gRPC call, or open a stream; its number."""
    token, call = _token(vm, root, GRPC_STREAM if request.stream else GRPC_CALL, request)
    if not request.stream:
        _start(vm, call, lambda reply: _grpc_answer(vm, root, token, reply))
    return token


def _grpc_answer(vm: Machine, root: Root, token: int, reply: Reply | None) -> None:
    call = root.calls.get(token)
    if call is None:
        return
    if reply is None:
        _grpc_closed(vm, root, token, (_DEADLINE, b""))
        return
    trailers = HeaderMap(Kind.RESPONSE_TRAILERS, reply.trailers)
    headers = wire.response_headers(reply, b"POST")
    found = messages(b"".join(reply.body))
    code, text = _outcome(reply, headers, trailers)
    if not call.request.stream and (code or not found):
        _grpc_closed(vm, root, token, (code or 13, text))
        return
    if call.request.stream:
        _told(vm, root, token, MapType.GRPC_CALL_INITIAL_METADATA, headers)
    for message in found if call.request.stream else found[:1]:
        root.grpc_message = message
        vm.later(lambda: setattr(root, "grpc_message", b""))
        vm.call(root, "proxy_on_grpc_receive", root.number, token, len(message))
    if not call.request.stream:
        root.calls.pop(token, None)
        return
    _told(vm, root, token, MapType.GRPC_CALL_TRAILING_METADATA, trailers)
    _grpc_closed(vm, root, token, (code, text))


_TELLS: Final = {
    MapType.GRPC_CALL_INITIAL_METADATA: "proxy_on_grpc_receive_initial_metadata",
    MapType.GRPC_CALL_TRAILING_METADATA: "proxy_on_grpc_receive_trailing_metadata",
}


def _told(vm: Machine, root: Root, token: int, kind: MapType, headers: HeaderMap) -> None:
    root.answer_maps[kind] = headers
    vm.later(root.answer_maps.clear)
    vm.call(root, _TELLS[kind], root.number, token, len(headers.pairs))


def _outcome(reply: Reply, headers: HeaderMap, trailers: HeaderMap) -> tuple[int, bytes]:
    status = trailers.get(b"grpc-status") or headers.get(b"grpc-status")
    text = trailers.get(b"grpc-message") or headers.get(b"grpc-message") or b""
    if status is not None and status.isdigit():
        return int(status), text
    return wire.GRPC_OF_HTTP.get(reply.status, _UNKNOWN), text


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
