"""Messages are read as they are on the wire, and what is sent is read back the same."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.fidelity import http1

NAMES = st.text("abcXYZ-019", min_size=1, max_size=8).filter(
    lambda name: name.lower() not in {"content-length", "transfer-encoding"}
)
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)
PAIRS = st.lists(st.tuples(NAMES, VALUES), max_size=5)


@given(headers=PAIRS, body=st.lists(st.binary(max_size=40), min_size=1, max_size=4), trailers=PAIRS)
def test_chunked_messages_come_back(
    headers: list[tuple[str, str]], body: list[bytes], trailers: list[tuple[str, str]]
) -> None:
    """Headers keep their order, case and duplicates, and a body in chunks is whole with its trailers behind it."""
    pieces = http1.pieces("POST / HTTP/1.1", headers, body, [list(pair) for pair in trailers])
    message = http1.read(io.BytesIO(b"".join(pieces)))
    assert message == http1.Message(
        "POST / HTTP/1.1",
        (*headers, ("transfer-encoding", "chunked")),
        b"".join(body),
        tuple(trailers) or None,
    )


def test_sized_messages_stay_sized() -> None:
    """A body with a content-length is sent in its pieces, without chunks."""
    pieces = http1.pieces("PUT / HTTP/1.1", [("Content-Length", "4")], [b"ab", b"cd"], None)
    assert pieces == [b"PUT / HTTP/1.1\r\nContent-Length: 4\r\n\r\n", b"ab", b"cd"]


@pytest.mark.parametrize("method_and_status", [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_answers_without_a_body(method_and_status: tuple[str, int]) -> None:
    """Answers that have no body end with their headers, whatever length those tell."""
    method, status = method_and_status
    stream = io.BytesIO(f"HTTP/1.1 {status} X\r\ncontent-length: 9\r\n\r\nrest".encode())
    message = http1.read(stream, method)
    assert message is not None
    assert (message.body, stream.read()) == (b"", b"rest")


def test_names_that_begin_with_a_colon() -> None:
    """A header that wrongly begins with a colon keeps it in its name, and one without a name has an empty one."""
    message = http1.read(io.BytesIO(b"HTTP/1.1 204 X\r\n:status: one\r\n: two\r\n\r\n"))
    assert message is not None
    assert message.headers == ((":status", "one"), ("", "two"))


@given(st.binary(max_size=200))
def test_any_bytes_end(data: bytes) -> None:
    """No bytes make the reader hang or fail in a way that is not announced."""
    with contextlib.suppress(http1.Cut, ValueError):
        http1.read(io.BytesIO(b"HTTP/1.1 200 OK\r\n" + data))


def test_a_cut_message_is_told_from_none() -> None:
    """The end before a message is no message, the end within one is a cut."""
    assert http1.read(io.BytesIO(b"")) is None
    with pytest.raises(http1.Cut):
        http1.read(io.BytesIO(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"))
