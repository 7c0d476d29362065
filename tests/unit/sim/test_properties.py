"""Properties of a stream, as far as they can be told without a module."""

from __future__ import annotations

from harness.sim import properties
from harness.sim.maps import HeaderMap, Kind


def test_trailers_count_in_the_total_size_of_a_response() -> None:
    """A response's total size is that of its body, its headers and its trailers."""
    headers = HeaderMap(Kind.RESPONSE, [(b":status", b"200")])
    trailers = HeaderMap(Kind.RESPONSE_TRAILERS, [(b"x-checksum", b"abc")])
    facts = properties.Facts(code=200, response_size=6)
    sizes = [
        properties._GROUPS[b"response"](None, facts, properties.Seen(None, *parts))["total_size"]
        for parts in ((None, None), (headers, None), (headers, trailers))
    ]
    assert sizes == [6, 6 + 10, 6 + 10 + 13]
