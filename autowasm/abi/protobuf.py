"""Reads one message in the protobuf wire format: the gRPC service that a module hands to Envoy.

Source: protobuf's encoding document, and envoy/config/core/v3/grpc_service.proto. Nested messages are read
one level deep; groups, which no current writer makes, count as broken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_VARINT, _FIXED64, _BYTES, _, _, _FIXED32 = range(6)
_WIDTH: Final = {_FIXED64: 8, _FIXED32: 4}
_TARGETS: Final = {1: "envoy_grpc", 2: "google_grpc"}
_MESSAGES: Final = (1, 2, 3, 5, 6)
"""Fields of a GrpcService that are messages: its targets, the time-out, initial metadata, the retry policy."""


def grpc_target(data: bytes) -> str:
    """Which target a GrpcService names, empty where it names none.

    Raises:
        ValueError: the bytes are no such message.
    """
    target = ""
    for number, kind, value in _fields(data):
        if kind == _BYTES and number in _MESSAGES:
            for _ in _fields(value):
                pass
            target = _TARGETS.get(number, target)
    return target


def _fields(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if not 0 < number < 1 << 29:
            raise ValueError("field number out of range")
        if kind == _VARINT:
            size = _varint(data, at)[1] - at
        elif kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in _WIDTH:
            size = _WIDTH[kind]
        else:
            raise ValueError("unknown wire type")
        if at + size > len(data):
            raise ValueError("field behind the end")
        yield number, kind, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("number behind the end")
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise ValueError("number of more than ten bytes")
