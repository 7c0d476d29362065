"""Which properties a stream has. Source: Envoy, source/extensions/filters/common/expr/context.cc; measured on 1.40.

Values are bytes, text, numbers, truth values, header maps and mappings; ``calls.properties`` writes them down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from harness.sim.clock import START
from harness.sim.contexts import Context
from harness.sim.maps import HeaderMap
from harness.sim.values import Fields, Message

CLIENT: Final = ("127.0.0.1:50000", 50000)
LISTENER: Final = ("127.0.0.1:15006", 15006)
UPSTREAM: Final = ("127.0.0.1:9080", 9080)
_LOCAL: Final = "127.0.0.1:40000"


@dataclass(slots=True)
class Facts:
    """What the proxy knows of a stream. Times are nanoseconds, sizes bytes; None is unknown yet, or no route."""

    route: str | None = ""
    cluster: str = ""
    connection: int = 1
    began: int = START
    state: dict[bytes, bytes] = field(default_factory=dict)
    request_size: int = 0
    response_size: int = 0
    code: int | None = None
    details: str | None = None
    flags: int = 0
    routed: bool = False
    reached: bool = False
    ended: int | None = None
    request_head: int = 0
    response_head: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """The header maps that a filter sees at the moment."""

    request: HeaderMap | None
    response: HeaderMap | None
    trailers: HeaderMap | None


_NONE: Final = Fields()


def find(context: Context, facts: Facts, seen: Seen, name: bytes) -> Any:
    """A property by its first part; None where there is none."""
    plain = {
        b"plugin_name": context.plugin.name,
        b"plugin_root_id": context.plugin.root_id,
        b"plugin_vm_id": context.machine.vm_plugin.vm_id,
        b"connection_id": facts.connection,
    }
    if name in plain:
        return plain[name]
    if name in _GROUPS:
        return _GROUPS[name](context, facts, seen)
    return facts.state.get(name)


def _text(headers: HeaderMap | None, name: bytes) -> bytes | None:
    return None if headers is None else headers.get(name)


def _request(context: Context, facts: Facts, seen: Seen) -> Mapping[str, Any]:
    headers = seen.request
    del context
    path = _text(headers, b":path")
    named = {
        "path": b":path", "host": b":authority", "scheme": b":scheme", "method": b":method", "referer": b"referer",
        "useragent": b"user-agent", "id": b"x-request-id",
    }  # fmt: skip
    found: dict[str, Any] = {key: _text(headers, name) for key, name in named.items()}
    size = 0 if headers is None else headers.byte_size()
    sized = _text(headers, b"content-length")
    return found | {
        "url_path": None if headers is None else (path or b"").partition(b"?")[0],
        "query": None if headers is None else (path or b"").partition(b"?")[2].partition(b"#")[0],
        "headers": _NONE if headers is None else headers,
        "time": facts.began,
        "protocol": "HTTP/1.1",
        "duration": None if facts.ended is None else facts.ended - facts.began,
        "size": int(sized) if sized and sized.isdigit() else facts.request_size,
        "total_size": facts.request_size + size,
    }


def _response(context: Context, facts: Facts, seen: Seen) -> Mapping[str, Any]:
    del context
    headers = seen.response
    # Trailers count too (envoyproxy/envoy, extensions/filters/common/expr/context.cc, ResponseWrapper).
    size = sum(part.byte_size() for part in (headers, seen.trailers) if part is not None)
    grpc = _text(seen.trailers, b"grpc-status") or _text(headers, b"grpc-status")
    return {
        "code": facts.code,
        "code_details": facts.details,
        "flags": facts.flags,
        "grpc_status": int(grpc)
        if grpc and grpc.isdigit()
        else (None if facts.code is None else _grpc(facts.code)),
        "headers": _NONE if headers is None else headers,
        "trailers": _NONE if seen.trailers is None else seen.trailers,
        "size": facts.response_size,
        "total_size": facts.response_size + size,
        "backend_latency": facts.ended - facts.began if facts.ended is not None and facts.reached else None,
    }


def _grpc(code: int) -> int:
    return {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}.get(code, 2)


def _connection(context: Context, facts: Facts, seen: Seen) -> Mapping[str, Any]:
    del context, seen
    return {"mtls": False, "requested_server_name": "", "id": facts.connection}


def _source(context: Context, facts: Facts, seen: Seen) -> Mapping[str, Any]:
    del context, facts, seen
    return {"address": CLIENT[0], "port": CLIENT[1]}


def _destination(context: Context, facts: Facts, seen: Seen) -> Mapping[str, Any]:
    del context, facts, seen
    return {"address": LISTENER[0], "port": LISTENER[1]}


def _upstream(context: Context, facts: Facts, seen: Seen) -> Mapping[str, Any]:
    del context, seen
    known = {"address": UPSTREAM[0], "port": UPSTREAM[1], "local_address": _LOCAL}
    return {
        "request_attempt_count": int(facts.routed),
        "transport_failure_reason": "" if facts.routed else None,
        **(known if facts.reached else {}),
    }


def _xds(context: Context, facts: Facts, seen: Seen) -> Mapping[str, Any]:
    del seen
    inbound = context.machine.world.inbound
    metadata = None if facts.route is None else Message(filter_metadata=_NONE)
    return {
        "node": context.machine.world.node.fields(),
        "cluster_name": None if facts.route is None else facts.cluster,
        "cluster_metadata": metadata,
        "route_name": facts.route,
        "route_metadata": metadata,
        "listener_direction": 1 if inbound else 2,
        "listener_metadata": Message(filter_metadata=_NONE),
        "filter_chain_name": "",
        "virtual_host_name": "all",
        "upstream_host_metadata": {} if facts.routed else None,
    }


def _metadata(context: Context, facts: Facts, seen: Seen) -> Mapping[str, Any]:
    del context, facts, seen
    return Message(filter_metadata=_NONE, typed_filter_metadata=_NONE)


def _filter_state(context: Context, facts: Facts, seen: Seen) -> Mapping[str, Any]:
    del context, seen
    return {f"wasm.{name.decode('utf-8', 'replace')}": value for name, value in facts.state.items()}


_GROUPS: Final[Mapping[bytes, Callable[[Context, Facts, Seen], Mapping[str, Any]]]] = {
    b"request": _request,
    b"response": _response,
    b"connection": _connection,
    b"source": _source,
    b"destination": _destination,
    b"upstream": _upstream,
    b"xds": _xds,
    b"metadata": _metadata,
    b"filter_state": _filter_state,
}
