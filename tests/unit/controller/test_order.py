"""The order of AutoWasms that can share a workload."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm.controller.order import ALONE, Claim, Order, Place
from autowasm.kube.names import Key


def key(name: str, namespace: str = "ns") -> Key:
    """A name, by default in one namespace."""
    return Key(namespace, name)


DETAILS = Claim({"app": "details"})


def filled(claims) -> Order:
    """An order that was given these claims one after the other."""
    order = Order()
    for name, claim in claims:
        order.put(name, claim)
    return order


def test_who_is_alone_has_no_number():
    """Different workloads, namespaces, contexts and ports share nothing."""
    claims = [
        (key("a"), dataclasses.replace(DETAILS, ports=frozenset({1, 2}))),
        (key("b"), dataclasses.replace(DETAILS, ports=frozenset({3}))),
        (key("c"), dataclasses.replace(DETAILS, context="outbound")),
        (key("d"), Claim({"app": "reviews"})),
        (key("a", "other"), DETAILS),
    ]
    order = filled(claims)
    assert {order.of(name) for name, _ in claims} == {ALONE}


def test_phase_then_priority_then_name():
    """The phase counts before the priority, the higher priority before the name."""
    wanted = [
        (key("z"), dataclasses.replace(DETAILS, phase="authn")),
        (key("y"), dataclasses.replace(DETAILS, phase="authz", priority=-5)),
        (key("x"), dataclasses.replace(DETAILS, phase="stats")),
        (key("w"), dataclasses.replace(DETAILS, priority=7)),
        (key("a"), DETAILS),
        (key("b"), DETAILS),
        (key("c"), dataclasses.replace(DETAILS, priority=-1)),
    ]
    order = filled(reversed(wanted))
    assert [order.of(name).number for name, _ in wanted] == list(range(7))
    assert order.of(key("a")) == Place(4, key("w"), key("b"))


@pytest.mark.parametrize(
    ("labels", "shares"),
    [({}, True), ({"app": "details"}, True), ({"version": "v1"}, True), ({"app": "reviews"}, False)],
)
def test_selectors(labels, shares):
    """Selectors share a workload unless they ask for two values of one label."""
    order = filled([(key("a"), DETAILS), (key("b"), Claim(labels))])
    assert (order.of(key("b")).number == 1) == shares


def test_the_root_namespace_reaches_all():
    """A claim that is everywhere is ordered with those of each namespace."""
    everywhere = Claim({}, everywhere=True, priority=1)
    order = filled(
        [(key("a", "one"), DETAILS), (key("b", "two"), DETAILS), (key("mesh", "root"), everywhere)]
    )
    assert [order.of(name).number for name in (key("mesh", "root"), key("a", "one"), key("b", "two"))] == [
        0,
        1,
        1,
    ]


def test_an_arrival_at_the_end_is_told_to_its_neighbour_only():
    """Of a hundred that share a workload, one that comes last changes the place of the last one alone."""
    order = filled((key(f"n{number:03}"), DETAILS) for number in range(100))
    assert order.put(key("n100"), DETAILS) == {key("n099")}
    assert order.put(key("n100"), DETAILS) == set()
    assert order.put(key("n100"), None) == {key("n099")}


def test_one_that_is_made_again_has_its_place_again():
    """Deletion and re-creation leave every place as it was."""
    names = [key(name) for name in "abc"]
    order = filled((name, DETAILS) for name in names)
    before = [order.of(name) for name in names]
    assert order.put(key("b"), None) == {key("a"), key("c")}
    assert [order.of(name).number for name in (key("a"), key("c"))] == [0, 1]
    order.put(key("b"), DETAILS)
    assert [order.of(name) for name in names] == before


_LABELS = st.dictionaries(st.sampled_from("xy"), st.sampled_from("12"), max_size=2)
_CLAIM = st.builds(
    Claim,
    _LABELS,
    st.just(value=False),
    st.sampled_from(["", "outbound"]),
    st.frozensets(st.integers(1, 3), max_size=2),
    st.sampled_from(["", "authn", "stats"]),
    st.integers(-1, 1),
)
_KEY = st.builds(key, st.sampled_from("abcdef"), st.sampled_from(["one", "two", "root"]))
_STEPS = st.lists(st.tuples(_KEY, st.none() | _CLAIM), max_size=25)


def in_namespace(name, claim):
    """What lives in the root namespace is everywhere."""
    return claim and dataclasses.replace(claim, everywhere=name.namespace == "root")


@given(_STEPS)
def test_history_does_not_count(steps):
    """Whatever came and went, places are those of an order that is given what is there now, and of one in reverse."""
    steps = [(name, in_namespace(name, claim)) for name, claim in steps]
    there = {name: claim for name, claim in dict(steps).items() if claim is not None}
    orders = [filled(steps), filled(sorted(there.items(), key=lambda item: item[0]))]
    orders.append(filled(sorted(there.items(), key=lambda item: item[0], reverse=True)))
    for name in dict(steps):
        assert len({order.of(name) for order in orders}) == 1


@given(_STEPS)
def test_those_that_share_are_apart(steps):
    """Two that can share a workload never have one number, and the one to run first has the lower one."""
    order = Order()
    there: dict[Key, Claim] = {}
    for name, claim in steps:
        claimed = in_namespace(name, claim)
        before = {known: order.of(known) for known in there}
        changed = order.put(name, claimed)
        there.pop(name, None)
        if claimed is not None:
            there[name] = claimed
        assert changed == {
            known for known, place in before.items() if known != name and order.of(known) != place
        }
    for (one, a), (other, b) in itertools.combinations(there.items(), 2):
        together = one.namespace == other.namespace or a.everywhere or b.everywhere
        ports = not a.ports or not b.ports or a.ports & b.ports
        labels = all(b.labels.get(label, value) == value for label, value in a.labels.items())
        if together and ports and labels and a.context == b.context:
            assert (order.of(one).number < order.of(other).number) == (rank(one, a) < rank(other, b))
            assert order.of(one).number != order.of(other).number


def rank(name, claim):
    """What the wanted order goes by."""
    return ("authn", "authz", "stats", "").index(claim.phase), -claim.priority, name
