"""What generated modules say: the calls with the kinds of their arguments, and the values of each kind.

A kind stands for one or more numbers; texts are pairs of pointer and size. ``out`` and ``number`` are where the
host puts a result that the module then logs. Calls that end Envoy itself, and values that no two runs share
(times, ids, ports, and all headers as a property, whose order is a hash's), are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

OUT, NUMBER, WIDE, HOLE = "out", "number", "wide", "hole"
"""A pointer and a size, four bytes, eight bytes, and four bytes that are not looked at."""
SETTING: Final = "setting"
"""A header's name and a value for it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A host function; ``weight`` is how often it is chosen, ``abis`` where it may be imported."""

    name: str
    kinds: tuple[str, ...]
    weight: int = 4
    abis: tuple[str, ...] = ("0.1.0", "0.2.0", "0.2.1")


CALLS: Final = (
    Call("proxy_add_header_map_value", ("map", SETTING), 8),
    Call("proxy_replace_header_map_value", ("map", SETTING), 8),
    Call("proxy_remove_header_map_value", ("map", "name"), 6),
    Call("proxy_get_header_map_value", ("map", "name", OUT), 10),
    Call("proxy_get_header_map_pairs", ("request_map", OUT), 3),
    Call("proxy_get_header_map_size", ("request_map", NUMBER), 2),
    Call("proxy_set_header_map_pairs", ("trailer_map", "pairs"), 2),
    Call("proxy_get_buffer_bytes", ("buffer", "start", "length", OUT), 8),
    Call("proxy_get_buffer_status", ("buffer", NUMBER, HOLE), 5),
    Call("proxy_set_buffer_bytes", ("buffer", "start", "length", "value"), 6),
    Call("proxy_send_local_response", ("status", "value", "value", "pairs", "grpc"), 1),
    Call("proxy_get_property", ("path", OUT), 10),
    Call("proxy_set_property", ("own_path", "value"), 3),
    Call("proxy_get_shared_data", ("key", OUT, HOLE), 4),
    Call("proxy_set_shared_data", ("key", "value", "cas"), 4),
    Call("proxy_register_shared_queue", ("key", NUMBER), 2),
    Call("proxy_resolve_shared_queue", ("vm", "key", NUMBER), 2),
    Call("proxy_enqueue_shared_queue", ("id", "value"), 2),
    Call("proxy_dequeue_shared_queue", ("id", OUT), 2),
    Call("proxy_define_metric", ("metric_type", "metric", NUMBER), 2),
    Call("proxy_record_metric", ("metric_id", "amount"), 2),
    Call("proxy_increment_metric", ("metric_id", "amount"), 2),
    Call("proxy_get_metric", ("metric_id", WIDE), 2),
    Call("proxy_http_call", ("cluster", "call_pairs", "value", "pairs", "wait", NUMBER), 2),
    Call("proxy_call_foreign_function", ("foreign", "value", OUT), 2),
    Call("proxy_get_status", (NUMBER, OUT), 2),
    Call("proxy_get_log_level", (NUMBER,), 1, ("0.2.1",)),
    Call("proxy_clear_route_cache", (), 1, ("0.1.0",)),
    Call("proxy_get_configuration", (OUT,), 2, ("0.1.0",)),
    Call("proxy_set_effective_context", ("context",), 1),
    Call("proxy_done", (), 1),
    Call("proxy_grpc_call", ("service", "method", "method", "pairs", "value", "wait", NUMBER), 2),
    Call("proxy_grpc_cancel", ("id",), 1),
    Call("proxy_grpc_close", ("id",), 1),
    Call("proxy_grpc_send", ("id", "value", "flag"), 1),
)

_NAMES: Final = (
    b":path", b":method", b":authority", b":status", b":scheme", b"host", b"x-mixed-case", b"X-Mixed-Case", b"cookie",
    b"set-cookie", b"content-type", b"x-new", b"x-new", b"X-New", b"user-agent", b"x-checksum", b"x-sum", b"absent",
    b"te", b"authorization", b"x-empty", b"x y", b"x:y",
)  # fmt: skip
TEXTS: Final[Mapping[str, tuple[bytes, ...]]] = {
    "name": (*_NAMES, b"content-length", b"transfer-encoding", b""),
    # Lengths are not set: a wrong one makes a broken message, which no client can tell from another. Nor are headers
    # without a name: what an HTTP/1 codec does with them depends on what lies behind the empty text.
    "set_name": _NAMES,
    ":method": (b"POST", b"PUT"),  # without one, how an answer ends is anybody's guess
    ":status": (b"", b"204", b"403", b"101", b" 201", b"9", b"one"),
    "value": (b"", b"one", b"two", b"/changed?x=1", b"with space", b"a,b", b"204", b"POST", b"9",
        b"x" * 300, b"\xc3\xa9", b" blanks ", b"two\nlines", b"\x07"),
    "path": (
        b"request\0path", b"request\0url_path", b"request\0host", b"request\0scheme", b"request\0method",
        b"request\0headers\0user-agent", b"request\0headers\0x-mixed-case", b"request\0useragent", b"request\0query",
        b"request\0protocol", b"request\0size", b"request\0referer", b"request\0nope", b"response\0code",
        b"response\0headers\0x-odd-case", b"response\0flags", b"response\0size", b"response\0grpc_status",
        b"response\0trailers\0x-checksum", b"response\0code_details", b"source\0nope", b"connection\0mtls",
        b"connection\0requested_server_name", b"destination\0nope", b"plugin_name", b"plugin_root_id", b"plugin_vm_id",
        b"cluster_name", b"route_name", b"listener_direction", b"node\0id", b"node\0cluster", b"node\0metadata\0APP",
        b"xds\0route_name", b"xds\0cluster_name", b"upstream\0nope", b"", b"nope", b"own\0value", b"wasm.own", b"own",
        b"metadata", b"filter_state\0wasm.own", b"xds\0listener_direction", b"upstream_host_metadata",
        b"xds\0filter_chain_name", b"request", b"response\0total_size", b"request\0total_size",
    ),
    "own_path": (b"own", b"own\0value", b"request\0path", b"", b"node"),
    "key": (b"a", b"b", b"", b"long-" + b"k" * 100),
    "vm": (b"vm", b"", b"other"),
    "metric": (b"hits", b"level", b"size", b"a.b.c"),
    # A name, and messages: of a cluster that there is, and of one that there is not. Not of a server for Google's
    # client: what it says comes from threads of its own, at any time.
    "service": (b"auth", b"\x0a\x06\x0a\x04auth", b"\x0a\x08\x0a\x04auth\x28\x01", b"\x0a\x03\x0a\x01x", b"absent"),
    "method": (b"Checks", b"check"),
    "cluster": (b"auth", b"auth", b"absent", b""),
    "foreign": (b"clear_route_cache", b"absent", b"", b"uncompress"),
}  # fmt: skip

NUMBERS: Final[Mapping[str, tuple[int, ...]]] = {
    "map": (0, 0, 0, 0, 2, 2, 2, 2, 1, 3, 4, 8, 99),
    "request_map": (0, 0, 1, 3, 9),
    "trailer_map": (1, 3, 8),
    "buffer": (0, 0, 0, 1, 1, 1, 4, 5, 6, 7, 9),
    "start": (0, 0, 0, 1, 3, 5, 1000, 0xFFFFFFFF),
    "length": (0, 1, 3, 4, 100, 1 << 20, 0xFFFFFFFF),
    "status": (200, 403, 500, 302, 204, 999, 101),
    "grpc": (0xFFFFFFFF, 0, 7),
    "cas": (0, 0, 0, 1, 2, 7),
    "id": (0, 1, 2, 7),
    "metric_type": (0, 1, 3, 99),
    "metric_id": (0, 1, 4, 5, 8, 99),
    "amount": (0, 1, 5, 0xFFFFFFFFFFFFFFFF),
    "wait": (0, 200, 5000),
    "context": (1, 2, 3, 99),
    "flag": (0, 1),
}
WIDE_KINDS: Final = frozenset({"amount"})

PAIRS: Final[Mapping[str, tuple[tuple[tuple[bytes, bytes], ...], ...]]] = {
    "pairs": ((), ((b"x-own", b"1"),), ((b"x-own", b"1"), (b"X-Own", b""), (b"content-type", b"text/x"))),
    "call_pairs": (
        ((b":method", b"GET"), (b":path", b"/check"), (b":authority", b"auth"), (b"authorization", b"good")),
        ((b":method", b"POST"), (b":path", b"/"), (b":authority", b"auth"), (b":scheme", b"http")),
        ((b":method", b"GET"), (b":path", b"/")),
        (),
    ),
}
CALLBACKS: Final[Mapping[str, tuple[str, int]]] = {
    # name -> the rest of its parameters behind the context, and the number of those that ABI 0.1.0 lacks
    "proxy_on_vm_start": ("size", 0),
    "proxy_on_configure": ("size", 0),
    "proxy_on_request_headers": ("count end", 1),
    "proxy_on_request_body": ("size end", 0),
    "proxy_on_request_trailers": ("count", 0),
    "proxy_on_response_headers": ("count end", 1),
    "proxy_on_response_body": ("size end", 0),
    "proxy_on_response_trailers": ("count", 0),
    "proxy_on_http_call_response": ("call headers body trailers", 0),
    "proxy_on_grpc_receive": ("call size", 0),
    "proxy_on_grpc_close": ("call code", 0),
    "proxy_on_queue_ready": ("queue", 0),
    "proxy_on_done": ("", 0),
    "proxy_on_log": ("", 0),
    "proxy_on_delete": ("", 0),
}
STARTING: Final = frozenset({"proxy_on_vm_start", "proxy_on_configure"})
WITHOUT_RESULT: Final = frozenset(
    {
        "proxy_on_http_call_response",
        "proxy_on_grpc_receive",
        "proxy_on_grpc_close",
        "proxy_on_queue_ready",
        "proxy_on_log",
        "proxy_on_delete",
    }
)
# Where a call ends Envoy itself with a segmentation fault (1.36 and 1.40, measured), so that it is not made: the
# stream that it works on is gone or half gone. Likewise set_envoy_filter_state in proxy_on_delete, the buffer
# FOREIGN_FUNCTION_ARGUMENTS outside of such a call, and the maps of a call's answer outside of its callback.
# Continuing is not among the calls: a stream that does not wait goes on twice then, or crashes (the filter manager
# only asserts its iteration state, in debug builds). A call to a cluster from a response's callback is cut off by
# the response's end, sooner or later; a body that was held back can be written to behind the stream's end.
_LATE: Final = frozenset({"proxy_on_done", "proxy_on_log", "proxy_on_delete"})
_ANSWERED: Final = frozenset({"proxy_on_response_body", "proxy_on_response_trailers"})
_CALLING: Final = (
    _LATE
    | _ANSWERED
    | {
        "proxy_on_response_headers",
        "proxy_on_http_call_response",
        "proxy_on_grpc_receive",
        "proxy_on_grpc_close",
    }
)
DEADLY: Final[Mapping[str, frozenset[str]]] = {
    "proxy_send_local_response": _LATE | _ANSWERED,
    "proxy_call_foreign_function": _LATE,
    "proxy_set_buffer_bytes": _LATE,
    "proxy_enqueue_shared_queue": frozenset({"proxy_on_queue_ready"}),  # which calls that again, without end
    "proxy_http_call": _CALLING,
    "proxy_grpc_call": _CALLING
    | STARTING,  # VMs start in two threads, and two answers' lines come in any order
}
# Trailers are read from memory that is gone by then (a segmentation fault, or what else lies there).
AFTER_STREAM: Final = frozenset({"proxy_on_done", "proxy_on_delete"})
MAPS_AFTER_STREAM: Final = (0, 2, 8, 99)
MAPS_OF_CALLS: Final = (6, 7, 6, 7, 0, 2, 99)
MAY_PAUSE: Final = frozenset(
    f"proxy_on_{leg}_{part}" for leg in ("request", "response") for part in ("headers", "body", "trailers")
)
