"""The gRPC service that a module calls: a protobuf message, or the name of a cluster where the bytes are none.

Source: Envoy, Context::grpcCall (extensions/common/wasm/context.cc), api/envoy/config/core/v3/grpc_service.proto, and
protobuf's encoding document. Measured on 1.36 and 1.40: a service without a target ends the whole proxy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from harness.sim.maps import Pair

_NUMBER, _WIDE, _BYTES, _GROUP, _GROUP_END, _NARROW = range(6)
_WIDTH: Final = {_WIDE: 8, _NARROW: 4}
_ENVOY, _GOOGLE, _METADATA = 1, 2, 5
_MESSAGES: Final[dict[tuple[int, ...], tuple[int, ...]]] = {
    (): (1, 2, 3, 5, 6),
    (_ENVOY,): (3, 4),
    (_GOOGLE,): (2, 3, 6, 7, 8),
}
"""Fields that are messages in their turn, by the fields that lead there."""
_TEXTS: Final[dict[tuple[int, ...], tuple[int, ...]]] = {
    (_ENVOY,): (1, 2),
    (_GOOGLE,): (1, 4, 5),
    (_METADATA,): (1, 2),
}


class Unreadable(ValueError):
    """The bytes are no such message."""


@dataclass(slots=True)
class Service:
    """A target: a cluster, or a server for Google's client, which is not linked into a sidecar's requests here."""

    cluster: str = ""
    authority: str = ""
    bare: bool = False
    """Whether headers of Envoy's own are left out (skip_envoy_headers)."""
    google: bool = False
    metadata: list[Pair] = field(default_factory=list)


def named(cluster: str) -> Service:
    """A cluster by its name."""
    return Service(cluster)


def parse(data: bytes) -> Service | None:
    """Read a service; None where it names no target, which Envoy does not survive.

    Raises:
        Unreadable: it is no service, and may be a cluster's name.
    """
    found = Service()
    target = None
    for number, value in _fields(data, ()):
        if number in (_ENVOY, _GOOGLE) and isinstance(value, bytes):
            if number != target:
                found, target = Service(google=number == _GOOGLE, metadata=found.metadata), number
            _read_target(found, value)
        elif number == _METADATA and isinstance(value, bytes):
            pair = dict(_fields(value, (_METADATA,)))
            found.metadata.append((_text(pair.get(1)), _text(pair.get(2))))
    return found if target is not None else None


def _read_target(found: Service, data: bytes) -> None:
    of = _GOOGLE if found.google else _ENVOY
    for number, value in _fields(data, (of,)):
        if of == _ENVOY and number == 1 and isinstance(value, bytes):
            found.cluster = value.decode()
        elif of == _ENVOY and number == 2 and isinstance(value, bytes):
            found.authority = value.decode()
        elif of == _ENVOY and number == 5 and isinstance(value, int):
            found.bare = bool(value)


def _text(value: int | bytes | None) -> bytes:
    return value if isinstance(value, bytes) else b""


def _fields(data: bytes, path: tuple[int, ...]) -> Iterator[tuple[int, int | bytes]]:
    """Numbers and bytes of a message's fields; what is a message or a text is one."""
    for number, value in _plain(data):
        if isinstance(value, bytes):
            if number in _MESSAGES.get(path, ()):
                for _ in _plain(value):
                    pass
            if number in _TEXTS.get(path, ()):
                _check_text(value)
        yield number, value


def _check_text(value: bytes) -> None:
    try:
        value.decode()
    except UnicodeDecodeError as error:
        raise Unreadable(str(error)) from error


def _plain(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Fields as they stand; groups and those of fixed widths are stepped over."""
    at, groups = 0, list[int]()
    while at < len(data):
        key, at = _number(data, at)
        number, kind = key >> 3, key & 7
        if not 0 < number < 1 << 29:
            raise Unreadable("the number of a field")
        if kind in (_GROUP, _GROUP_END):
            _nest(groups, number, opens=kind == _GROUP)
            continue
        value, at = _value(data, at, kind)
        if at > len(data):
            raise Unreadable("a field ends behind the message")
        if value is not None and not groups:
            yield number, value
    if groups:
        raise Unreadable("a group has no end")


def _nest(groups: list[int], number: int, *, opens: bool) -> None:
    if opens:
        groups.append(number)
    elif not groups or groups.pop() != number:
        raise Unreadable("a group ends that has not begun")


def _value(data: bytes, at: int, kind: int) -> tuple[int | bytes | None, int]:
    """A field's value, None for one of fixed width, and where it ends."""
    if kind == _NUMBER:
        return _number(data, at)
    if kind == _BYTES:
        size, start = _number(data, at)
        return data[start : start + size], start + size
    if kind not in _WIDTH:
        raise Unreadable("the kind of a field")
    return None, at + _WIDTH[kind]


def _number(data: bytes, at: int) -> tuple[int, int]:
    total = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise Unreadable("a number has no end")
        total |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return total & (1 << 64) - 1, at
    raise Unreadable("a number is too long")
