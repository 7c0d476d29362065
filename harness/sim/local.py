"""Answers that the proxy gives itself. Source: Envoy, source/common/http/utility.cc (prepareLocalReply)."""

from __future__ import annotations

from harness.sim import wire
from harness.sim.contexts import Response
from harness.sim.maps import HeaderMap, Kind


def reply(response: Response, *, grpc: bool) -> tuple[HeaderMap, bytes]:
    """Headers and body; to a gRPC request all is in the headers."""
    headers = HeaderMap(Kind.RESPONSE, ((b":status", b"%d" % response.status), *response.headers))
    headers.put(b":status", b"%d" % response.status)
    body = response.body
    if grpc:
        code = response.grpc if response.grpc >= 0 else wire.GRPC_OF_HTTP.get(response.status, 2)
        headers.put(b":status", b"200")
        headers.remove(b"content-length")
        headers.put(b"content-type", b"application/grpc")
        headers.put(b"grpc-status", b"%d" % code)
        if body:
            headers.put(b"grpc-message", _escaped(body))
        return headers, b""
    if body:
        headers.put(b"content-length", b"%d" % len(body))
        if headers.get(b"content-type") is None:
            headers.add(b"content-type", b"text/plain")
    else:
        headers.remove(b"content-length")
        headers.remove(b"content-type")
    return headers, body


def _escaped(text: bytes) -> bytes:
    return b"".join(bytes((c,)) if 0x20 <= c <= 0x7E and c != 0x25 else b"%%%02X" % c for c in text)
