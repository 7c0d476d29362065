"""Calls to clusters: HTTP and gRPC. Source: Envoy's Context (httpCall, grpcCall, grpcStream), AsyncStreamImpl.

What a call sends and gets is ``harness.sim.outgoing``'s; here are the checks, and who is told of the answer.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from autowasm.abi.tables import Status
from harness.sim import grpcservice, maps, outgoing, wire
from harness.sim.calls import answers
from harness.sim.contexts import Machine
from harness.sim.grpcservice import Service
from harness.sim.maps import HeaderMap, Kind
from harness.sim.world import Ends

_SIGN: Final = 1 << 31
_NEEDED: Final = (b":path", b":method", b":authority")


def http_call(vm: Machine, *arguments: int) -> int:
    """Send a request to a cluster."""
    target, headers, body, trailers = (vm.read(*arguments[i : i + 2]) for i in (0, 2, 4, 6))
    timeout, at = arguments[8:]
    if target is None or headers is None or body is None or trailers is None:
        return Status.INVALID_MEMORY_ACCESS
    if not vm.write(at, bytes(4)):
        return Status.INVALID_MEMORY_ACCESS
    cluster = target.decode("utf-8", "replace")
    sent = HeaderMap(Kind.REQUEST, maps.parse(headers))
    if timeout & _SIGN or cluster not in vm.world.clusters.answers:
        return Status.BAD_ARGUMENT
    if any(sent.get(name) is None for name in _NEEDED):
        return Status.BAD_ARGUMENT
    request = outgoing.Request(cluster, sent, body, tuple(maps.parse(trailers)), timeout)
    answers.put(vm, at, outgoing.http(vm, vm.context.root, request))
    return Status.OK


def grpc_call(vm: Machine, *arguments: int) -> int:
    """Send one message, get one."""
    texts = [vm.read(*arguments[i : i + 2]) for i in (0, 2, 4, 6, 8)]
    timeout, at = arguments[10:]
    if any(text is None for text in texts):
        return Status.INVALID_MEMORY_ACCESS
    target, service, method, metadata, message = (text or b"" for text in texts)
    called = _service(vm, target)
    if called is None:
        return Status.PARSE_FAILURE
    wanted = outgoing.Method(called, service, method, tuple(maps.parse(metadata)), timeout)
    return _grpc(vm, wanted, message, at)


def grpc_stream(vm: Machine, *arguments: int) -> int:
    """Open a stream."""
    texts = [vm.read(*arguments[i : i + 2]) for i in (0, 2, 4, 6)]
    if any(text is None for text in texts):
        return Status.INVALID_MEMORY_ACCESS
    target, service, method, metadata = (text or b"" for text in texts)
    called = _service(vm, target)
    if called is None:
        return Status.PARSE_FAILURE
    wanted = outgoing.Method(called, service, method, tuple(maps.parse(metadata)))
    return _grpc(vm, wanted, None, arguments[8])


def _service(vm: Machine, data: bytes) -> Service | None:
    """Whom a module means; None for nobody that is known."""
    try:
        found = grpcservice.parse(data)
    except grpcservice.Unreadable:
        cluster = data.decode("utf-8", "replace")
        return grpcservice.named(cluster) if cluster in vm.world.clusters.answers else None
    if found is None:
        raise Ends("SIGABRT: Envoy ends itself: a gRPC service must name its target (envoy_grpc), found none")
    return found


def _grpc(vm: Machine, wanted: outgoing.Method, message: bytes | None, at: int) -> int:
    root = vm.context.root
    if wanted.service.google:  # nobody answers there
        token = outgoing.unreachable(vm, root, outgoing.INTERNAL, stream=message is None)
        return answers.put(vm, at, token)
    if wanted.service.cluster not in vm.world.clusters.answers:
        outgoing.unreachable(vm, root, outgoing.UNAVAILABLE, stream=message is None)
        return Status.INTERNAL_FAILURE
    return answers.put(vm, at, outgoing.grpc(vm, root, outgoing.grpc_request(wanted, message)))


def grpc_send(vm: Machine, token: int, pointer: int, size: int, end: int) -> int:
    """Send into a stream; the cluster answers when its end was sent."""
    message = vm.read(pointer, size)
    if message is None:
        return Status.INVALID_MEMORY_ACCESS
    return outgoing.send(vm, vm.context.root, token, message, bool(end))


def grpc_cancel(vm: Machine, token: int) -> int:
    """End a call or a stream at once."""
    return outgoing.cancel(vm, vm.context.root, token)


def grpc_close(vm: Machine, token: int) -> int:
    """End a call, or our side of a stream."""
    return outgoing.close(vm, vm.context.root, token)


def get_status(vm: Machine, code_at: int, pointer_at: int, size_at: int) -> int:
    """How the last call ended."""
    code, message = vm.context.root.status
    return answers.put(vm, code_at, code) or answers.give(vm, message, pointer_at, size_at)


def envoy_resolve_dns(vm: Machine, name: int, size: int, at: int) -> int:
    """Addresses, and this machine's own name, are answered within the call; nothing is found for other names, later.

    Source: Envoy, extensions/common/wasm/wasm.cc (resolve_dns) and Context::onResolveDns; measured.
    """
    asked = vm.read(name, size)
    token = vm.next_dns()
    if asked is None or not vm.write(at, token.to_bytes(4, "little")):
        return Status.INVALID_MEMORY_ACCESS
    root, found = vm.context.root, _addresses(asked)

    def answer(addresses: list[str]) -> None:
        lasting = bytes(4) * len(addresses)  # seconds
        texts = b"".join(each.encode() + b"\0" for each in addresses)
        root.last_buffer = len(addresses).to_bytes(4, "little") + lasting + texts
        vm.call(root, "envoy_on_resolve_dns", root.number, token, len(root.last_buffer))

    if found:
        answer(found)
    else:
        vm.world.clock.after(wire.CALL, lambda: answer([]))
    return Status.OK


def _addresses(name: bytes) -> list[str]:
    """With a port, which is 0."""
    text = name.decode("latin-1")
    try:
        address = ipaddress.ip_address("::1" if text == "localhost" else text)
    except ValueError:
        return []
    return [f"{address}:0" if address.version == _IPV4 else f"[{address}]:0"]


_IPV4: Final = 4


CALLS: Final = (get_status, grpc_call, grpc_cancel, grpc_close, grpc_send, grpc_stream, http_call)
