"""Lengths of HTTP/2 frames, however they are cut on their way."""

from hypothesis import given
from hypothesis import strategies as st

from autowasm.wasmer.http.frames import MOST, Frames


def _frame(length):
    return length.to_bytes(3, "big") + bytes(6) + b"\xff" * min(length, MOST)


@given(
    st.lists(st.integers(0, 300), max_size=9),
    st.lists(st.integers(1, 40)),
    st.sampled_from([0, MOST, MOST + 1]),
)
def test_lengths(lengths, cuts, last):
    """Only a frame beyond the bound is refused, at its header, wherever the pieces are cut."""
    data = b"preface" + b"".join(map(_frame, [*lengths, last]))
    frames, verdict, position = Frames(len(b"preface")), True, 0
    for cut in [*cuts, len(data)]:
        verdict = verdict and frames.fit(data[position : position + cut])
        position += cut
    assert verdict is (last <= MOST)
