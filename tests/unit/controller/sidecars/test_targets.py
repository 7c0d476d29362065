"""What an AutoWasm and its EnvoyFilter ask of pods."""

from __future__ import annotations

from autowasm.controller.sidecars import pods, targets
from autowasm.digest import Digest
from autowasm.istio import envoyfilter, spec
from tests.unit.controller.sidecars import things

V1, V2 = Digest.of(b"1"), Digest.of(b"2")


def autowasm(namespace="default", **more):
    """An AutoWasm as the API server has it."""
    return {
        "metadata": {"name": "hello", "namespace": namespace, "uid": "u", "generation": 1},
        "spec": {
            "filter": {
                "applyPorts": [9080],
                "source": {"registry": {"image": "r.example/f:v1"}},
                **more.pop("filter", {}),
            },
            "selector": {"matchLabels": {"app": "details"}},
        },
    }


def standing(obj, digest=V1, manager="us", when="2026-01-01T00:00:10Z"):
    """Its EnvoyFilter, written then by that manager."""
    made = envoyfilter.render(spec.parse(obj), digest, envoyfilter.Install())
    made["metadata"]["managedFields"] = [
        {"manager": "other", "time": "2026-02-02T00:00:00Z"},
        {"manager": manager, "time": when},
    ]
    made["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    return made


def read(obj, present=None):
    """The target in a mesh whose root namespace is istio-system."""
    return targets.read(obj, present, "istio-system", "us")


def test_before_anything_stands():
    """An AutoWasm without an EnvoyFilter means pods, and no version."""
    target = read(autowasm())
    assert (target.namespace, target.labels, target.ports) == ("default", {"app": "details"}, (9080,))
    assert (target.digest, target.vm) == (None, "")


def test_what_stands():
    """The EnvoyFilter says which version, and our last write since when."""
    target = read(autowasm(), standing(autowasm()))
    assert (target.digest, target.ports, target.plugin) == (V1, (9080,), "hello")
    assert target.since == pods.seconds("2026-01-01T00:00:10Z")


def test_a_write_that_is_not_in_the_managed_fields():
    """Where nobody says when we wrote it the object's own age counts."""
    target = read(autowasm(), standing(autowasm(), manager="gone"))
    assert target.since == pods.seconds("2026-01-01T00:00:00Z")


def test_another_version_is_another_vm():
    """Two versions never share a VM, also where the user gave a vmID; two filters with one vmID and module do."""
    pinned = autowasm(filter={"vmID": "mine"})
    other = {**pinned, "metadata": {**pinned["metadata"], "name": "other"}}
    first = read(pinned, standing(pinned))
    assert first.vm != read(pinned, standing(pinned, V2)).vm
    assert first.vm == read(other, standing(other)).vm
    assert read(autowasm(), standing(autowasm())).vm != first.vm


def test_the_root_namespace_means_all():
    """What is in the mesh's root namespace is for pods of every namespace."""
    target = read(autowasm("istio-system"), standing(autowasm("istio-system")))
    assert target.namespace is None
    assert target.means(things.pod("a", namespace="x"))


def test_ports_of_others_are_nobody_s():
    """Outbound, a port is the other side's, so that no container need have it."""
    outbound = autowasm(filter={"context": "outbound"})
    assert read(outbound).ports == ()
    assert read(outbound, standing(outbound)).ports == ()


def test_a_conflict_stands_for_nothing():
    """Somebody else's EnvoyFilter of the name says nothing of what this AutoWasm has in the mesh."""
    foreign = standing(autowasm())
    del foreign["metadata"]["ownerReferences"]
    assert read(autowasm(), foreign).digest is None


def test_what_is_not_as_it_must_be():
    """Broken objects mean nobody, and nothing is raised."""
    assert read({"metadata": {"name": "x", "namespace": "y"}, "spec": None}) is None
    broken = standing(autowasm())
    broken["spec"]["configPatches"] = []
    assert read(autowasm(), broken) is None
    assert read(None) is None


def test_ports_that_a_pod_lacks():
    """A port that none of its containers declares is missed; a pod that declares none may have any."""
    target = read(autowasm())
    assert target.misses(things.pod("a", ports={80}))
    assert not target.misses(things.pod("a", ports={9080, 80}))
    assert not target.misses(things.pod("a", ports=set()))


def test_gateways_and_sidecars_are_not_mixed():
    """A filter for gateways means their proxies alone, any other one means sidecars."""
    gateway, pod = things.pod("g", gateway=True), things.pod("a")
    for context, meant in (("gateway", gateway), ("inbound", pod), ("outbound", pod)):
        wanted = autowasm(filter={"context": context})
        for target in (read(wanted), read(wanted, standing(wanted))):
            assert [one for one in (gateway, pod) if target.means(one)] == [meant]
