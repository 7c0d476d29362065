"""Which of several controllers writes. Time is a number here."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from autowasm.controller import election
from autowasm.controller.election import Election
from autowasm.kube.tenure import Tenure

LASTS = float(election.LEASE_SECONDS)


class Server:
    """Holds the Lease as the API server does: a write of an older version is refused."""

    def __init__(self):
        self.lease = Tenure()
        self.writes = 0

    def write(self, tenure):
        """The lease as it is stored, None for a conflict."""
        if tenure.version != self.lease.version:
            return None
        self.writes += 1
        self.lease = dataclasses.replace(tenure, version=str(self.writes))
        return self.lease

    def turn(self, candidate, now):
        """One look, and the bid that follows from it; whether the candidate leads then."""
        bid = candidate.bid(self.lease, now)
        if bid is not None and (written := self.write(bid)):
            candidate.won(written, now)
        return candidate.leads(now)


def test_the_first_leads():
    """Where there is no Lease, who comes first makes it and leads at once."""
    server, one, two = Server(), Election("one"), Election("two")
    assert server.turn(one, 0)
    assert not server.turn(two, 0)
    assert (server.lease.holder, server.lease.transitions) == ("one", 0)


def test_a_renewal_keeps_it():
    """A holder that renews in time leads for ever, and nothing but the version changes."""
    server, one, two = Server(), Election("one"), Election("two")
    for second in range(0, 100, 3):
        assert server.turn(one, second)
        assert not server.turn(two, second + 1)
    assert server.lease.transitions == 0


def test_a_lapsed_lease_is_taken():
    """Who finds a Lease unchanged for as long as it lasts takes it; the former holder had stopped before."""
    server, one, two = Server(), Election("one"), Election("two")
    server.turn(one, 0)
    assert not server.turn(two, 1)
    assert not server.turn(two, LASTS)
    assert not one.leads(LASTS)
    assert server.turn(two, 1 + LASTS)
    assert (server.lease.holder, server.lease.transitions) == ("two", 1)


def test_a_given_lease_is_taken_at_once():
    """After an orderly end nobody waits."""
    server, one, two = Server(), Election("one"), Election("two")
    server.turn(one, 0)
    server.turn(two, 1)
    assert server.write(one.resign(server.lease))
    assert not one.leads(1)
    assert server.turn(two, 1)


def test_nothing_to_give():
    """Who does not have the Lease does not give it away."""
    server, one, two = Server(), Election("one"), Election("two")
    server.turn(one, 0)
    server.turn(two, 1)
    assert two.resign(server.lease) is None


def test_a_restart_goes_on():
    """A controller that was killed and started again over its folder leads at once."""
    server = Server()
    server.turn(Election("one"), 0)
    assert server.turn(Election("one"), 1)
    assert server.lease.transitions == 0


def test_of_two_bids_one_is_refused():
    """Two that find the same lapsed Lease do not both get it."""
    server, one, two, gone = Server(), Election("one"), Election("two"), Election("gone")
    server.turn(gone, 0)
    for candidate in (one, two):
        assert candidate.bid(server.lease, 0) is None
    bids = [candidate.bid(server.lease, LASTS) for candidate in (one, two)]
    written = [server.write(bid) for bid in bids]
    assert written[0] is not None
    assert written[1] is None


def test_a_lost_lease_is_noticed():
    """A holder that finds another one's name stops at once, however young its own renewal is."""
    server, one = Server(), Election("one")
    server.turn(one, 0)
    server.lease = dataclasses.replace(server.lease, holder="two", version="7")
    assert not server.turn(one, 1)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["one", "two", "three"]), st.floats(0, 5), st.sampled_from(["turn", "late", "end"])
    ),
    max_size=120,
)


@given(STEPS)
def test_never_two(steps):
    """Whatever the order of looks, pauses, lost answers and ends: at no time do two lead."""
    server, now = Server(), 0.0
    candidates = {name: Election(name) for name in ("one", "two", "three")}
    for name, pause, what in steps:
        now += pause
        candidate = candidates[name]
        if what == "turn":
            server.turn(candidate, now)
        elif what == "late" and (bid := candidate.bid(server.lease, now)):
            server.write(bid)  # the answer never arrives
        elif what == "end" and (given_back := candidate.resign(server.lease)):
            server.write(given_back)
        assert sum(one.leads(now) for one in candidates.values()) <= 1
