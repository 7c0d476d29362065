"""From pods, fetches and looks to the audience of an AutoWasm."""

from __future__ import annotations

import pytest

from autowasm.controller.sidecars.account import NAMED, World, account
from autowasm.controller.sidecars.evidence import LAG_SECONDS, Finding
from autowasm.controller.sidecars.records import Records
from autowasm.controller.sidecars.sights import DRAINING_SECONDS, LONGEST_SECONDS, Sight
from autowasm.istio.audience import Audience, Stuck
from autowasm.kube.names import Key
from tests.unit.controller.sidecars import things
from tests.unit.controller.sidecars.things import V1, V2


def audience_of(*counts, digest=V1, **more) -> Audience:
    """An audience of version 1."""
    return Audience(*counts, digest=digest, **more)


KEY = Key("default", "hello")
POD = things.pod("details-1")


class Site:
    """One AutoWasm, its EnvoyFilter written at second 200, and now."""

    def __init__(self, target=None, now=201.0):
        self.target = target or things.target()
        self.records = Records()
        self.sights = {}
        self.now = now

    def fetch(self, pod=POD, digest=V1, time=200.5):
        """The pod's sidecar fetches."""
        self.records.put(pod.addresses[0], digest, time)

    def look(self, pod=POD, **seen):
        """Somebody looks at the sidecar."""
        sight = self.sights.setdefault(pod.key, Sight(pod.life))
        found = things.look(**{"at": self.now, "updated": 200.1, "plugins": ("hello",), **seen})
        sight.take(found, pod, {KEY: self.target}, self.records)
        return sight

    def account(self, *pods):
        """What comes of it."""
        return account(KEY, self.target, pods or (POD,), World(self.records, self.sights, self.now))

    def audience(self, *pods) -> Audience:
        """What is known."""
        return self.account(*pods).audience


def test_from_nothing_to_loaded():
    """A pod counts, then it has fetched, then there is evidence: each step is one count."""
    site = Site()
    assert site.audience() == audience_of(1, 0, 0)
    site.fetch()
    assert site.audience().fetched == 1
    assert site.account().unseen
    site.look(vms=4)
    assert site.audience() == audience_of(1, 1, 1)
    assert site.account().open == []


def test_who_has_not_fetched_is_named_after_a_while():
    """Nobody is called stuck before the time, and when the time comes is said."""
    site = Site()
    assert site.account().again == 200.0 + LAG_SECONDS
    site.now = 200.0 + LAG_SECONDS
    assert site.account().again is None
    assert site.audience().stuck == (Stuck("details-1", "its sidecar was not given the module"),)


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        ({"warming": 1}, "asks for the module and is not given it"),
        ({"updated": 100.0}, "got no listeners from istiod"),
        ({"failures": 1}, "gave up asking"),
        ({}, "got listeners from istiod, and does not ask"),
    ],
)
def test_why_it_has_not_fetched(seen, why):
    """What its statistics show of the reason is said."""
    site = Site(now=230.0)
    site.look(**seen)
    assert why in site.audience().stuck[0].why


def test_a_module_that_the_sidecar_may_have_from_before():
    """Envoy asks nobody for what it has; where its fetch is forgotten, as by a new installation, nothing is known."""
    site = Site(now=230.0)
    site.look(hits=1, updated=220.0)
    found = site.audience()
    assert (found.fetched, found.loaded, found.stuck) == (0, 0, ())
    assert found.unproven == (
        Stuck("details-1", "its sidecar asked nobody for the module: it may have it from before"),
    )


@pytest.mark.parametrize("seen", [{"warming": 1}, {"updated": 100.0}, {"failures": 1}])
def test_a_sidecar_with_trouble_is_stuck_whatever_it_had(seen):
    """What it had from before excuses nothing of what its statistics show."""
    site = Site(now=230.0)
    site.look(**({"hits": 1, "updated": 220.0} | seen))
    assert len(site.audience().stuck) == 1


def test_a_port_that_the_pod_lacks():
    """It is a fault of the AutoWasm, and why this pod does not ask."""
    site, lacking = Site(now=230.0), things.pod("b", ports={80}, address="10.0.0.8")
    assert site.audience(lacking).foreign_ports == (9080,)
    assert "none of its containers declares port 9080" in site.audience(lacking).stuck[0].why
    assert site.audience(POD, lacking).foreign_ports == ()
    assert site.audience(POD, lacking).pods == 1
    assert site.audience(things.pod("c", ports=())).foreign_ports == ()


def test_a_sidecar_that_does_not_run_is_stuck_at_once():
    """Its container's own reason is given."""
    site = Site()
    broken = things.pod("a", trouble="CrashLoopBackOff")
    assert site.audience(broken).stuck[0].why == "its sidecar does not run: CrashLoopBackOff"


def test_pods_without_a_sidecar_are_none_of_the_audience():
    """They are named, and not counted."""
    site = Site()
    assert site.audience(things.pod("a", sidecar=False)) == audience_of(0, 0, 0, without_sidecar=("a",))


def test_nobody_expects_a_sidecar_of_all_pods():
    """A filter for all pods names those without one only where none has one."""
    site, bare = Site(target=things.target(labels={})), things.pod("a", sidecar=False)
    assert site.audience(POD, bare).without_sidecar == ()
    assert site.audience(bare).without_sidecar == ("a",)


def test_a_module_that_does_not_start_is_stuck():
    """Fetched and without VMs: named with what was seen."""
    site = Site()
    site.fetch()
    site.look(vms=0)
    audience = site.audience()
    assert (audience.fetched, audience.loaded) == (1, 0)
    assert "did not start" in audience.stuck[0].why


def test_what_cannot_be_seen_is_not_claimed():
    """Where statistics cannot be read it is unknown, with why, and not loaded and not stuck."""
    site = Site(now=300.0)
    site.fetch()
    site.look(vms=4, warming=1).fault = "its statistics cannot be read: refused"
    audience = site.audience()
    assert (audience.fetched, audience.loaded, audience.stuck) == (1, 0, ())
    assert audience.unproven == (Stuck("details-1", "its statistics cannot be read: refused"),)


def test_a_new_container_begins_with_nothing():
    """Neither fetches nor looks of the container before it count."""
    site = Site()
    site.fetch()
    site.look(vms=4)
    again = things.pod("details-1", since=250.0)
    assert site.audience(again) == audience_of(1, 0, 0)


def test_a_rollback_to_what_it_has_needs_no_fetch():
    """Back at a version that was fetched long ago it is fetched at once, and loaded when there is evidence anew."""
    site = Site()
    site.fetch()
    site.look(vms=4)
    site.now, site.target = 300.0, things.target(V2, since=299.0)
    site.fetch(digest=V2, time=299.5)
    site.look(vms=8, draining=1, updated=299.2, modified=2)
    assert site.audience() == audience_of(1, 1, 1, digest=V2)
    site.now, site.target = 400.0, things.target(V1, since=399.0)
    site.sights[POD.key].proven.clear()
    assert (site.audience().fetched, site.audience().loaded) == (1, 0)
    site.look(vms=4, updated=299.2)
    assert site.audience().loaded == 0
    site.look(vms=4, updated=399.1)
    assert site.audience() == audience_of(1, 1, 1)


def test_a_process_that_was_started_again_inside_of_its_container():
    """What the process before it was seen to run is proven anew."""
    site = Site()
    site.fetch()
    site.look(vms=4)
    site.now = 300.0
    site.look(vms=0, began=280.0, updates=0)
    assert site.audience().loaded == 0


def test_a_name_in_another_namespace_has_it():
    """A pod elsewhere is named with its namespace; no more are named than a person reads."""
    site = Site(target=things.target(namespace=None), now=230.0)
    many = [things.pod(f"p{n:02}", namespace="far", address=f"10.0.1.{n}") for n in range(NAMED + 5)]
    audience = site.audience(*many)
    assert audience.stuck[0].pod == "far/p00"
    assert (audience.pods, len(audience.stuck)) == (NAMED + 5, NAMED)


def test_before_anything_stands_nobody_is_stuck():
    """An AutoWasm without a version in the mesh has an audience, and asks nothing of it."""
    site = Site(target=things.target(None), now=900.0)
    assert site.account().audience == audience_of(1, 0, 0, digest=None)
    assert (site.account().open, site.account().again) == ([], None)


def test_waits_between_looks_grow_and_end():
    """They double up to a cap, and news begins them anew."""
    sight = Sight(POD.life)
    waits = [sight.wait() for _ in range(40)]
    assert waits[:4] == [0.25, 0.5, 1.0, 2.0]
    assert waits[-1] == LONGEST_SECONDS
    sight.finding = Finding(frozenset(), drains=True)
    assert sight.wait() == DRAINING_SECONDS
    sight.fault = "no answer"
    assert sight.wait() == LONGEST_SECONDS
    sight.news()
    assert sight.wait() == 0.25
