"""How often an address may ask."""

from hypothesis import given
from hypothesis import strategies as st

from autowasm import limits
from autowasm.wasmer.http.buckets import Buckets


def test_burst_and_rate():
    """A burst is let in, then as many a second as the rate says; others do not wait for it."""
    buckets = Buckets(2.0, 3.0)
    assert [buckets.take("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert buckets.take("b", 0.0)
    assert [buckets.take("a", 1.0) for _ in range(3)] == [True, True, False]


def test_no_rate():
    """Without a rate nobody is refused."""
    assert all(Buckets(0.0, 1.0).take("a", 0.0) for _ in range(10))


@given(st.lists(st.floats(0, 5), max_size=60))
def test_long_run(pauses):
    """Over any time nobody gets more than the burst and the rate's share."""
    buckets, now, got = Buckets(2.0, 3.0), 0.0, 0
    for pause in pauses:
        now += pause
        got += buckets.take("a", now)
    assert got <= 3.0 + 2.0 * now + 1e-6


def test_addresses_are_forgotten():
    """However many addresses ask, only so many are remembered; one that was refused stays refused meanwhile."""
    buckets = Buckets(1.0, 1.0)
    for number in range(limits.ADDRESSES_KEPT):
        assert buckets.take(f"old{number}", 0.0)
    assert buckets.take("new", 10.0)
    assert not buckets.take("new", 10.0)
    assert len(buckets._left) == 1
