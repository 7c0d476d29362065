"""Calls between host and module as lines for people: arguments by what they mean, texts instead of pointers.

A function's parameters are a list of words: "text" and "pairs" take two numbers, a pointer and a size; "?" is a pointer
that the host writes to; a class is an enumeration; anything else is a number with that name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from typing import Final

from autowasm.abi.tables import BufferType, LogLevel, MapType, MetricType, Status, StreamType
from harness.sim import maps

Read = Callable[[int, int], bytes | None]
Word = str | type[IntEnum]

_SHOWN: Final = 200
_VALUE: Final = ("text", "text")
_CALLOUT: Final = ("text", "pairs", "text", "pairs", "timeout", "?")
_WORDS: Final[dict[str, tuple[Word, ...]]] = {
    "proxy_add_header_map_value": (MapType, *_VALUE),
    "proxy_call_foreign_function": (*_VALUE, "?", "?"),
    "proxy_close_stream": (StreamType,),
    "proxy_continue_stream": (StreamType,),
    "proxy_define_metric": (MetricType, "text", "?"),
    "proxy_dequeue_shared_queue": ("queue", "?", "?"),
    "proxy_enqueue_shared_queue": ("queue", "text"),
    "proxy_get_buffer_bytes": (BufferType, "start", "size", "?", "?"),
    "proxy_get_buffer_status": (BufferType, "?", "?"),
    "proxy_get_header_map_pairs": (MapType, "?", "?"),
    "proxy_get_header_map_size": (MapType, "?"),
    "proxy_get_header_map_value": (MapType, "text", "?", "?"),
    "proxy_get_metric": ("metric", "?"),
    "proxy_get_property": ("text", "?", "?"),
    "proxy_get_shared_data": ("text", "?", "?", "?"),
    "proxy_grpc_call": ("text", "text", "text", "pairs", "text", "timeout", "?"),
    "proxy_grpc_stream": ("text", "text", "text", "pairs", "?"),
    "proxy_grpc_send": ("token", "text", "end"),
    "proxy_http_call": _CALLOUT,
    "proxy_log": (LogLevel, "text"),
    "proxy_register_shared_queue": ("text", "?"),
    "proxy_remove_header_map_value": (MapType, "text"),
    "proxy_replace_header_map_value": (MapType, *_VALUE),
    "proxy_resolve_shared_queue": (*_VALUE, "?"),
    "proxy_send_local_response": ("status", *_VALUE, "pairs", "grpc"),
    "proxy_set_buffer_bytes": (BufferType, "start", "size", "text"),
    "proxy_set_header_map_pairs": (MapType, "pairs"),
    "proxy_set_property": _VALUE,
    "proxy_set_shared_data": (*_VALUE, "cas"),
}


def host_call(name: str, arguments: Sequence[int], answer: int | None, read: Read) -> str:
    """A call of the module's, with what the host answered."""
    said = ""
    if answer is not None:
        known = name.startswith("proxy_") and answer in list(Status)
        said = f" -> {Status(answer).name if known else answer}"
    return f"  {name}({', '.join(_shown(name, arguments, read))}){said}"


def callback(name: str, arguments: Sequence[int]) -> str:
    """A call of the host's."""
    return f"{name}({', '.join(map(str, arguments))})"


def _shown(name: str, arguments: Sequence[int], read: Read) -> Iterator[str]:
    rest = list(arguments)
    for word in _WORDS.get(name, ()):
        if word in ("text", "pairs"):
            data = read(rest.pop(0), rest.pop(0))
            yield "<outside>" if data is None else _data(data, pairs=word == "pairs")
            continue
        value = rest.pop(0)
        if isinstance(word, str):
            yield "&" + hex(value) if word == "?" else f"{word}={value}"
        else:
            yield word(value).name if value in list(word) else str(value)
    yield from map(str, rest)


def _data(data: bytes, *, pairs: bool) -> str:
    if pairs:
        return "{" + ", ".join(f"{_text(name)}: {_text(value)}" for name, value in maps.parse(data)) + "}"
    return json.dumps(_text(data), ensure_ascii=False) + (
        f"... {len(data)} bytes" if len(data) > _SHOWN else ""
    )


def _text(data: bytes) -> str:
    return data[:_SHOWN].decode("utf-8", "replace")
