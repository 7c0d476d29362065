"""The encodings that modules hand over: header pairs and a gRPC service, from any bytes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm.abi import protobuf, stream

TEXT = st.binary(max_size=20)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=10))
def test_pairs_return(pairs: stream.Pairs) -> None:
    """What is written is read again, be it with NULs in it."""
    assert stream.parse(stream.serialise(pairs)) == pairs


@given(st.binary(max_size=200))
def test_any_bytes_are_pairs_or_none(data: bytes) -> None:
    """Any bytes are pairs that are written as just these bytes, or no pairs."""
    pairs = stream.parse(data)
    assert not pairs or stream.serialise(pairs) == data


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4), st.data())
def test_a_cut_is_no_pairs(pairs: stream.Pairs, data: st.DataObject) -> None:
    """Pairs that break off, or go on, are none."""
    whole = stream.serialise(pairs)
    assert stream.parse(whole[: data.draw(st.integers(0, len(whole) - 1))]) == []
    assert stream.parse(whole + b"\0") == []


@pytest.mark.parametrize(
    ("data", "target"),
    [
        (b"", ""),
        (b"\x0a\x00", "envoy_grpc"),
        (b"\x0a\x05\x0a\x03abc", "envoy_grpc"),
        (b"\x12\x00", "google_grpc"),
        (b"\x0a\x00\x12\x00", "google_grpc"),  # the last of a oneof counts
        (b"\x1a\x02\x08\x05", ""),  # a time-out, and no target
        (b"\x08\x01", ""),  # field 1 as a number is an unknown field
    ],
)
def test_targets(data: bytes, target: str) -> None:
    """The target is what the message says last, and nothing where it says none."""
    assert protobuf.grpc_target(data) == target


@pytest.mark.parametrize(
    "data", [b"\x0a", b"\x0a\x02\x08", b"\x0a\x01\x07", b"\x00\x00", b"\x0b", b"outbound|80", b"\x80" * 11]
)
def test_no_message(data: bytes) -> None:
    """Bytes that break the wire format, or one of its messages, are no service."""
    with pytest.raises(ValueError, match=r"number|field|wire"):
        protobuf.grpc_target(data)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_service_or_not(data: bytes) -> None:
    """Any bytes end in an answer or in the one error."""
    with contextlib.suppress(ValueError):
        assert protobuf.grpc_target(data) in ("", "envoy_grpc", "google_grpc")
