"""What has its turn when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autowasm.controller.sidecars.agenda import Agenda

STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 9)), max_size=20)


@given(STEPS)
def test_each_thing_has_one_turn_at_its_earliest_time(steps):
    """However often a thing is put in or dropped, it is taken once, at the earliest time since it was dropped."""
    agenda, wanted = Agenda(), {}
    for thing, at in steps:
        if at is None:
            agenda.drop(thing)
            wanted.pop(thing, None)
        else:
            agenda.put(thing, at)
            wanted[thing] = min(at, wanted.get(thing, at))
    taken = {}
    for now in range(10):
        while (thing := agenda.take(now)) is not None:
            assert thing not in taken
            taken[thing] = now
    assert taken == wanted
    assert (len(agenda), agenda.next()) == (0, None)
