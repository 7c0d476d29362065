"""Host functions that call out of the proxy: HTTP, gRPC, DNS and Envoy's foreign functions.

They are taken and never answered: which clusters there are only a proxy knows. Source: Envoy's Context
(httpCall, grpcCall, grpcStream) and source/extensions/common/wasm/foreign.cc.
"""

from __future__ import annotations

from typing import Final

from autowasm.abi import answers, protobuf
from autowasm.abi.outcome import End
from autowasm.abi.tables import Status
from autowasm.abi.world import World

_HTTP_CALL, _GRPC_CALL, _GRPC_STREAM = range(3)
_SHOWN: Final = 400
_FOREIGN: Final = frozenset({
    "clear_route_cache", "compress", "declare_property", "expr_create", "expr_delete", "expr_evaluate",
    "set_envoy_filter_state", "sign", "uncompress", "verify_signature",
})  # fmt: skip
"""Foreign functions of Envoy (source/extensions/common/wasm/foreign.cc)."""


def http_call(world: World, *arguments: int) -> int:
    """Taken, and never answered: which clusters there are only a proxy knows."""
    world.guess("proxy_http_call")
    return _token(world, _HTTP_CALL, arguments[:8], arguments[9])


def grpc_call(world: World, *arguments: int) -> int:
    """Taken, and never answered, unless the service cannot be one."""
    return _grpc(world, "proxy_grpc_call", arguments[:2]) or _token(
        world, _GRPC_CALL, arguments[:10], arguments[11]
    )


def grpc_stream(world: World, *arguments: int) -> int:
    """Taken, and never answered, unless the service cannot be one."""
    return _grpc(world, "proxy_grpc_stream", arguments[:2]) or _token(
        world, _GRPC_STREAM, arguments[:8], arguments[8]
    )


def _grpc(world: World, name: str, service: tuple[int, ...]) -> int:
    """Look at the service: one without a target ends the proxy, other bytes than a service's are refused."""
    data = world.read(*service)
    if data is None:
        return Status.INVALID_MEMORY_ACCESS
    try:
        target = protobuf.grpc_target(data)
    except ValueError:  # it may still be the name of a cluster
        world.guess(name)
        return Status.PARSE_FAILURE
    if target:
        world.guess(name)
    else:
        message = f"{name}: a gRPC service must name its target (envoy_grpc), found none"
        world.end = End("grpc-unset-target", message, "SIGABRT")
    return Status.OK


def envoy_resolve_dns(world: World, name: int, size: int, at: int) -> int:
    """Taken, and never answered."""
    return _token(world, _HTTP_CALL, (name, size), at)


def _token(world: World, kind: int, ranges: tuple[int, ...], at: int) -> int:
    """A token tells the kind of its call in its low two bits (wasm.h, CalloutType)."""
    if not all(world.reachable(*ranges[i : i + 2]) for i in range(0, len(ranges), 2)):
        return Status.INVALID_MEMORY_ACCESS
    token = len(world.tokens) + 1 << 2 | kind
    world.tokens.add(token)
    return answers.put(world, at, token)


def grpc_send(world: World, token: int, pointer: int, size: int, end: int) -> int:
    """Sent into a stream that was opened."""
    del end
    if not world.reachable(pointer, size):
        return Status.INVALID_MEMORY_ACCESS
    return _known(world, token, (_GRPC_STREAM,))


def grpc_end(world: World, token: int) -> int:
    """End a call or a stream that was opened."""
    return _known(world, token, (_GRPC_CALL, _GRPC_STREAM))


def _known(world: World, token: int, kinds: tuple[int, ...]) -> int:
    if token & 3 not in kinds:
        return Status.BAD_ARGUMENT
    return Status.OK if token in world.tokens else Status.NOT_FOUND


def call_foreign_function(world: World, name: int, size: int, *rest: int) -> int:
    """Envoy's own functions answer nothing here."""
    raw = world.read(name, min(size, _SHOWN))
    if raw is None or not world.reachable(rest[0], rest[1]):
        return Status.INVALID_MEMORY_ACCESS
    text = raw.decode("utf-8", "replace")
    if text not in _FOREIGN:
        return Status.NOT_FOUND
    world.guess(f"proxy_call_foreign_function({text})")
    written = [world.put(at, 0) for at in rest[2:4] if at]
    return Status.OK if all(written) else Status.INVALID_MEMORY_ACCESS
