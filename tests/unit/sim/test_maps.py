"""Header maps keep order and repetitions, and survive the ABI's way of writing them down."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.sim import maps

NAMES = st.binary(min_size=1, max_size=8).map(bytes.lower)
PAIRS = st.lists(st.tuples(NAMES, st.binary(max_size=8)), max_size=20)


@given(PAIRS)
def test_written_and_read(pairs: list[tuple[bytes, bytes]]) -> None:
    """What is written down is read again, names in lower case."""
    assert maps.parse(maps.serialise(pairs)) == pairs


@given(st.binary(max_size=64))
def test_any_bytes(data: bytes) -> None:
    """Any bytes are pairs or none."""
    assert isinstance(maps.parse(data), list)


def test_format() -> None:
    """Count and lengths are 32-bit little-endian, and a NUL follows each name and value."""
    assert maps.serialise([(b"a", b"bc")]) == b"\1\0\0\0\1\0\0\0\2\0\0\0a\0bc\0"


def test_names_are_in_lower_case() -> None:
    """A header is found, added, replaced and removed by its name in any case."""
    headers = maps.of([("X-One", "1"), ("two", "2"), ("x-one", "3")])
    assert headers.get(b"X-ONE") == b"1"
    headers.replace(b"X-One", b"4")
    assert headers.pairs == [(b"x-one", b"4"), (b"two", b"2")]
    headers.add(b"TWO", b"5")
    assert headers.pairs[-1] == (b"two", b"5")
    headers.remove(b"Two")
    assert headers.pairs == [(b"x-one", b"4")]
    assert headers.byte_size() == 6
