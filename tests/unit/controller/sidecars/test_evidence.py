"""What a look at a sidecar proves, by what Envoys were seen to do."""

from __future__ import annotations

from autowasm.controller.sidecars.evidence import Wish, judge
from tests.unit.controller.sidecars.things import look

OURS = ("hello",)


def wish(vm="v1", *, since=200.0, fetched=205.0, proven=False):
    """A VM whose EnvoyFilter was written at second 200."""
    return Wish(vm, since, fetched, proven)


def proven(*wishes, plugins=OURS, base=None, **seen):
    """The VMs that a look proves; by default one filter runs, and nothing drains."""
    return set(judge(wishes, plugins, look(**{"vms": 4, "plugins": plugins, **seen}), base).proven)


def why(*wishes, plugins=OURS, base=None, **seen):
    """What the rest of the finding says."""
    found = judge(wishes, plugins, look(**{"vms": 4, "plugins": plugins, **seen}), base)
    assert not found.proven
    return found.fails, found.why


def test_fetched_and_as_many_vms_as_it_takes():
    """Nothing waits, nothing drains, and the one filter has its VMs: it runs."""
    assert proven(wish()) == {"v1"}


def test_a_module_that_does_not_start_has_no_vms():
    """Fetched, tried, and no VM: it surely does not run."""
    fails, words = why(wish(), vms=0)
    assert fails
    assert "0 Wasm VMs, 4 make 1 of ours: a module did not start" in words


def test_while_a_listener_waits_nothing_is_known():
    """A module that is still being fetched is not tried yet, whatever VMs there are."""
    assert why(wish(), warming=1) == (False, "its sidecar waits for a module")


def test_vms_of_the_version_before_prove_nothing():
    """While the old version drains its VMs count: four may be all its own."""
    assert why(wish("v2"), vms=4, draining=1)[0] is False
    assert proven(wish("v2"), vms=4, draining=0) == {"v2"}


def test_more_vms_than_before_the_change():
    """With a look from before, the new version is seen to run while the old one drains."""
    before = look(at=199.0, modified=0, vms=4, plugins=OURS)
    assert proven(wish("v2"), vms=8, draining=1, base=before) == {"v2"}
    assert why(wish("v2"), vms=7, draining=1, base=before)[0] is False


def test_a_look_that_is_not_from_before_is_none():
    """Another process's VMs are no measure."""
    other = look(at=199.0, modified=0, began=50.0, vms=0, plugins=OURS)
    assert not proven(wish("v2"), vms=4, draining=1, base=other)
    more = look(at=199.0, modified=0, vms=0, plugins=OURS, updates=9)
    assert not proven(wish("v2"), vms=4, draining=1, base=more)


def test_two_that_are_open_must_both_be_there():
    """One more filter's VMs do not say whose they are."""
    before = look(at=199.0, modified=0, vms=0, plugins=("a", "b"))
    both = wish("a"), wish("b")
    assert not proven(*both, plugins=("a", "b"), vms=4, draining=1, base=before)
    assert proven(*both, plugins=("a", "b"), vms=8, draining=1, base=before) == {"a", "b"}
    assert why(*both, plugins=("a", "b"), vms=4)[0] is True


def test_a_change_starts_all_filters_anew():
    """VMs that a proven filter, or one of others, has a second time are not those of the one in question."""
    before = look(at=199.0, modified=0, vms=4, plugins=("a",))
    wishes = wish("a", proven=True), wish("b")
    seen = {"plugins": ("a", "b"), "draining": 1, "base": before}
    assert not proven(*wishes, vms=8, **seen)
    assert proven(*wishes, vms=12, **seen) == {"b"}
    foreign = look(at=199.0, modified=0, vms=4, plugins=("theirs",))
    assert not judge([wish()], OURS, look(vms=8, draining=1, plugins=("hello", "theirs")), foreign).proven
    assert judge([wish()], OURS, look(vms=12, draining=1, plugins=("hello", "theirs")), foreign).proven


def test_vms_of_two_changes_are_not_added_up():
    """A change in between may have started the version before once more: its VMs are not the new one's."""
    before = look(at=199.0, modified=0, vms=4, plugins=OURS)
    assert not proven(wish("v2"), vms=8, draining=2, modified=2, base=before)
    assert not proven(wish("v2"), vms=8, draining=1, modified=0, base=before)


def test_one_that_runs_already_is_counted_and_not_claimed_again():
    """A proven one takes its share of the VMs."""
    assert proven(wish("a", proven=True), wish("b"), plugins=("a", "b"), vms=8) == {"b"}
    assert why(wish("a", proven=True), wish("b"), plugins=("a", "b"), vms=4)[0] is True


def test_a_fetch_that_is_not_told_yet():
    """A filter of which no fetch is known, but may have come a moment ago, leaves it open whose VMs there are."""
    late = wish("b", since=205.0, fetched=None)
    assert why(wish("a"), late, plugins=("a", "b"))[1] == "another filter of its sidecar is on its way"
    assert proven(wish("a"), wish("b", since=100.0, fetched=None), plugins=("a", "b")) == {"a"}


def test_filters_of_others_have_their_share():
    """Their names are counted as running, and a sum that is not right proves nothing."""
    seen = {"plugins": OURS}
    assert set(judge([wish()], OURS, look(vms=8, plugins=("hello", "default_theirs")), None).proven) == {"v1"}
    found = judge([wish()], OURS, look(vms=4, plugins=("hello", "default_theirs")), None)
    assert (found.proven, found.fails) == (frozenset(), False)
    assert "4 Wasm VMs, 8 make 1 of ours and 1 of others" in found.why
    assert why(wish(), vms=8, **seen)[0] is False


def test_a_rollback_needs_news_from_istiod():
    """What was fetched before the EnvoyFilter was written counts once listeners were updated after it."""
    back = wish(since=200.0, fetched=120.0)
    assert why(back, updated=199.5)[1].startswith("its sidecar got no listeners from istiod")
    assert proven(back, updated=200.4) == {"v1"}


def test_a_process_that_began_after_the_fetch():
    """What the process before it fetched is not this one's."""
    assert "was started again" in why(wish(fetched=205.0), at=300.0, began=220.0)[1]
    assert proven(wish(fetched=205.0), at=300.0, began=215.0) == {"v1"}  # its uptime may be that far behind


def test_nothing_to_prove():
    """Without a fetch, and where all is proven, a look says nothing."""
    assert judge([wish(fetched=None)], OURS, look(vms=4, plugins=OURS), None).why == ""
    assert not proven(wish(proven=True))


def test_two_filters_that_share_a_vm():
    """Filters with one vmID and module have one set of VMs."""
    assert proven(wish("v"), wish("v"), plugins=("a", "b"), vms=4) == {"v"}
