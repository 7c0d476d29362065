"""Header maps are Envoy's, and survive the ABI's way of writing them down."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.sim import maps
from harness.sim.maps import HeaderMap, Kind

PAIRS = st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=8)), max_size=20)


@given(PAIRS)
def test_written_and_read(pairs: list[tuple[bytes, bytes]]) -> None:
    """What is written down is read again."""
    assert maps.parse(maps.serialise(pairs)) == pairs


@given(st.binary(max_size=64))
def test_any_bytes(data: bytes) -> None:
    """Any bytes are pairs or none."""
    assert isinstance(maps.parse(data), list)


def test_format() -> None:
    """Count and lengths are 32-bit little-endian, and a NUL follows each name and value."""
    assert maps.serialise([(b"a", b"bc")]) == b"\1\0\0\0\1\0\0\0\2\0\0\0a\0bc\0"


def test_nothing_may_follow() -> None:
    """Bytes behind the last pair make it none."""
    assert maps.parse(maps.serialise([(b"a", b"bc")]) + b"x") == []


def test_headers_repeat() -> None:
    """A header that is not inline repeats, is found first, and moves to the end when it is replaced."""
    headers = HeaderMap(Kind.REQUEST, [(b"X-One", b"1"), (b"two", b"2"), (b"x-one", b"3")])
    assert headers.get(b"X-ONE") == b"1"
    headers.replace(b"X-One", b"4")
    assert headers.pairs == [(b"two", b"2"), (b"x-one", b"4")]
    headers.remove(b"Two")
    assert headers.pairs == [(b"x-one", b"4")]
    assert headers.byte_size() == 6


def test_inline_headers_join() -> None:
    """An inline header has one value, to which another one is joined."""
    headers = HeaderMap(Kind.REQUEST, [(b"user-agent", b"a"), (b"x", b"1"), (b"User-Agent", b"b")])
    assert headers.pairs == [(b"user-agent", b"a,b"), (b"x", b"1")]


def test_pseudo_headers_come_first() -> None:
    """A pseudo header goes to the end of the pseudo headers, whenever it is added."""
    headers = HeaderMap(Kind.REQUEST, [(b":path", b"/"), (b"x", b"1"), (b":foo", b"2")])
    headers.replace(b":path", b"/new")
    assert [name for name, _ in headers.pairs] == [b":foo", b":path", b"x"]
