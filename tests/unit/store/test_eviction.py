"""Which blobs give way: what is wanted or was used lately never, the rest in the order of their last use."""

from hypothesis import given
from hypothesis import strategies as st

from autowasm.digest import Digest
from autowasm.store import eviction
from autowasm.store.eviction import Held

DIGESTS = [Digest.of(bytes([number])) for number in range(8)]
HELD = st.lists(
    st.builds(Held, st.sampled_from(DIGESTS), st.integers(0, 100), st.floats(0, 1000)),
    unique_by=lambda one: one.digest,
)
WANTED = st.sets(st.sampled_from(DIGESTS))


@given(HELD, st.integers(-10, 500), WANTED, st.floats(0, 1000))
def test_what_goes(held, need, wanted, before):
    """Nothing goes that must stay; what goes is the oldest of what may, just enough of it, or all there is."""
    gone = eviction.victims(held, need, wanted, before)
    by_digest = {one.digest: one for one in held}
    may_go = [one for one in held if one.digest not in wanted and one.used < before]
    went = [by_digest[digest] for digest in gone]
    assert set(gone) <= {one.digest for one in may_go}
    assert [one.used for one in went] == sorted(one.used for one in may_go)[: len(went)]
    if len(went) < len(may_go):
        assert sum(one.size for one in went) >= need
    assert sum(one.size for one in went[:-1]) < max(need, 1)


def test_order():
    """What was used the longest time ago goes first, and what is wanted stays though it is older."""
    old, older, oldest = (Held(DIGESTS[number], 10, 3.0 - number) for number in range(3))
    assert eviction.victims([old, older, oldest], 15, {oldest.digest}, 100.0) == (older.digest, old.digest)
