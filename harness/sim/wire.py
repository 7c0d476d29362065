"""What HTTP/1.1 codecs and the connection manager do to messages before and behind the filters.

Source: Envoy, source/common/http/http1/codec_impl.cc and source/common/http/conn_manager_utility.cc. Trailers are
let through on both sides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from harness.sim.maps import HeaderMap, Kind, Pair
from harness.sim.upstream import Arrived, Reply

HOP: Final = 1.0
"""How long a message takes from one program to the next, in milliseconds."""
PIECE: Final = 0.1
"""The time between two pieces of a body, in milliseconds."""
CALL: Final = 4.0
"""How long the answer to a call takes, in milliseconds: longer than the rest of a message that is under way."""

GRPC_OF_HTTP: Final = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
HOP_BY_HOP: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
_BODILESS_METHODS: Final = (b"GET", b"HEAD", b"DELETE", b"TRACE", b"CONNECT")


def request_headers(method: str, path: str, pairs: Iterable[Pair], request_id: bytes) -> HeaderMap:
    """A request's headers as the filters get them."""
    sent = list(pairs)
    host = next((value for name, value in sent if name.lower() == b"host"), b"")
    line = ((b":authority", host), (b":path", path.encode()), (b":method", method.encode()))
    headers = HeaderMap(Kind.REQUEST, line)
    headers.add(b":scheme", b"http")
    for name, value in sent:
        if name.lower() != b"host" and name.lower() not in HOP_BY_HOP:
            headers.add(name, value)
    proto = headers.get(b"x-forwarded-proto")
    if proto is None:
        headers.add(b"x-forwarded-proto", b"http")
    elif proto in (b"http", b"https"):
        headers.put(b":scheme", proto)
    if headers.get(b"te") not in (None, b"trailers"):
        headers.remove(b"te")
    if headers.get(b"x-request-id") is None:
        headers.add(b"x-request-id", request_id)
    return headers


def response_headers(reply: Reply, method: bytes) -> HeaderMap:
    """A cluster's answer's headers as the filters get them."""
    headers = HeaderMap(Kind.RESPONSE, ((b":status", b"%d" % reply.status), *reply.headers))
    if method != b"HEAD" and reply.status not in (204, 304) and headers.get(b"content-length") is None:
        if reply.body or reply.trailers:
            headers.put(b"transfer-encoding", b"chunked")
        else:
            headers.add(b"content-length", b"0")
    return headers


def has_body(reply: Reply, method: bytes) -> bool:
    """Whether more than headers comes."""
    return bool(reply.body or reply.trailers) and method != b"HEAD" and reply.status not in (204, 304)


@dataclass(frozen=True, slots=True)
class Rest:
    """What follows a request's headers."""

    body: bytes = b""
    trailers: tuple[Pair, ...] = ()


def sent(cluster: str, headers: HeaderMap, rest: Rest | None) -> Arrived:
    """A whole request as it goes to a cluster."""
    lines = request_lines(headers, rest is not None)
    chunked = any(name == b"transfer-encoding" for name, _ in lines)
    parts = ((headers.get(name) or b"").decode("latin-1") for name in (b":method", b":path"))
    method, path = " ".join(parts).split(" ")[:2]  # with a space in either, it is another line
    rest = rest or Rest()
    trailers = read(rest.trailers).lines if chunked else ()
    return Arrived(cluster, method, path, lines, rest.body, trailers)


def fault(headers: HeaderMap) -> bytes:
    """What the codec says to a request's headers that it does not write; answers' headers it writes as they are."""
    if headers.get(b":method") is None:
        return b"missing required header: :method"
    names = b"".join([name for name, _ in headers.pairs if name[:1] != b":"])
    if not names.translate(None, _TOKEN) and not _UNWRITTEN.search(b"".join([v for _, v in headers.pairs])):
        return b""  # nearly always
    for name, value in headers.pairs:
        if not name.startswith(b":") and name.translate(None, _TOKEN):
            return b"invalid header name: " + b"".join(map(_escaped, name))
        if name != b":scheme" and _UNWRITTEN.search(value):
            return b"invalid header value for: " + name
    return b""


_TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_UNWRITTEN: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_ESCAPES: Final = {byte: json.dumps(chr(byte))[1:-1].encode() for byte in (*range(0x20), 0x22, 0x5C)}


def _escaped(byte: int) -> bytes:
    """As in a text of JSON, bytes that are not ASCII left as they are."""
    return _ESCAPES.get(byte) or bytes((byte,))


def status(headers: HeaderMap) -> int | None:
    """An answer's status as a number, None where it is none (absl::SimpleAtoi)."""
    text = (headers.get(b":status") or b"").strip(b" \t\n\v\f\r").removeprefix(b"+")
    return int(text) if text.isdigit() and int(text) < 1 << 64 else None


_FINAL: Final = 200
"""Answers below are followed by another one, and have no body."""


@dataclass(frozen=True, slots=True)
class Section:
    """Headers, or trailers, as who reads them understands them; ``rest`` is what stands behind an empty line."""

    lines: tuple[Pair, ...]
    rest: bytes = b""

    @property
    def framed(self) -> bool:
        """Whether they say where the body behind them ends."""
        return any(name in (b"content-length", b"transfer-encoding") for name, _ in self.lines)


def read(pairs: Iterable[Pair]) -> Section:
    """Lines that a codec writes without a look at them, as they are read: line ends in them make other lines."""
    given = tuple(pairs)
    for name, value in given:
        if b"\n" in value or b"\n" in name or b":" in name[1:] or value.strip(_BLANK) != value:
            break
    else:  # nearly always
        return Section(given)
    text = b"".join(b"%s: %s\r\n" % pair for pair in given)
    found: list[Pair] = []
    while text:
        line, _, text = text.partition(b"\n")
        line = line.rstrip(b"\r")
        if not line:
            return Section(tuple(found), text)
        front = line[:1] if b":" in line[1:] else b""  # a name may wrongly begin with a colon
        name, _, value = line.removeprefix(front).partition(b":")
        found.append((front + name, value.strip(_BLANK)))
    return Section(tuple(found))


_BLANK: Final = b" \t"


def request_lines(headers: HeaderMap, body: bool) -> tuple[Pair, ...]:
    """A request's headers as they go to a cluster: the host first, framing last, no line that cannot be written."""
    lines = [(name, value.strip(_BLANK)) for name, value in headers.pairs if name[:1] != b":" and name]
    host = headers.get(b":authority")
    if host is not None:
        lines.insert(0, (b"host", host.strip(_BLANK)))
    if headers.get(b"content-length") is None:
        if body:
            lines.append((b"transfer-encoding", b"chunked"))
        elif headers.get(b":method") not in _BODILESS_METHODS:
            lines.append((b"content-length", b"0"))
    return tuple(lines)


def response_lines(headers: HeaderMap, body: bool, head: bool) -> Section:
    """A response's headers as the client reads them."""
    written = ((b"host" if name == b":authority" else name, value) for name, value in headers.pairs)
    lines = [pair for pair in written if pair[0][:1] != b":" and pair[0]]
    code = status(headers) or 0
    if headers.get(b"content-length") is None and code >= _FINAL and code not in (204, 304):
        if body or head:
            lines.append((b"transfer-encoding", b"chunked"))
        else:
            lines.append((b"content-length", b"0"))
    return read(lines)
