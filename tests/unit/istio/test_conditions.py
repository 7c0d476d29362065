"""Facts folded to a status."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm import errors
from autowasm.digest import Digest
from autowasm.istio import conditions

NEW = conditions.Version(Digest.of(b"new"), f"registry.example.com/f@{Digest.of(b'new manifest')}")
OLD = conditions.Version(Digest.of(b"old"), f"registry.example.com/f@{Digest.of(b'old manifest')}")
DONE = conditions.Done()
RETRY = conditions.Failure("Unreachable", "registry x: no answer", final=False)
FINAL = conditions.Failure("Unauthorized", "registry x: wrong password", final=True)
THEN, NOW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def _facts(pull=None, check=None, program=None, standing=None):
    return conditions.Facts(1, pull, check, program, standing)


@pytest.mark.parametrize(
    ("facts", "phase"),
    [
        (_facts(), "Pending"),
        (_facts(standing=OLD), "Pending"),
        (_facts(RETRY), "Pending"),
        (_facts(RETRY, standing=OLD), "Degraded"),
        (_facts(FINAL), "Failed"),
        (_facts(FINAL, standing=OLD), "Degraded"),
        (_facts(NEW, conditions.refused("missing-import", "env.x")), "Failed"),
        (_facts(NEW, conditions.refused("missing-import", "env.x"), standing=OLD), "Degraded"),
        (_facts(NEW, DONE), "Pending"),
        (_facts(NEW, DONE, conditions.conflict("not ours")), "Failed"),
        (_facts(NEW, DONE, RETRY, standing=OLD), "Degraded"),
        (_facts(NEW, DONE, DONE, standing=NEW), "Synced"),
    ],
)
def test_phase(facts, phase):
    """The phase follows from how far the module came, how it failed, and whether an older version stands."""
    assert conditions.phase(facts) == phase


def test_refused_module_names_its_rule():
    """Verified is False with the rule's slug and what was found in its message."""
    facts = _facts(NEW, conditions.refused("missing-import", "env.proxy_foo is not a host function"))
    found = {condition.type: condition for condition in conditions.conditions(facts)}
    assert found["Verified"].status is False
    assert found["Verified"].message == "missing-import: env.proxy_foo is not a host function"
    assert found["Pulled"].status is True
    assert found["Programmed"].status is None


@pytest.mark.parametrize("kind", [errors.Retry, errors.Final])
def test_failure_of_an_error(kind):
    """An error's reason, message and remedy reach the condition; its type says whether it is final."""
    error = kind("image a/b: denied", side="registry", reason="Forbidden", remedy="ask for access")
    assert conditions.Failure.of(error) == conditions.Failure(
        "Forbidden", "image a/b: denied (ask for access)", final=kind is errors.Final
    )


def test_digest_is_that_of_what_stands():
    """While an older version stands, digest and image are the older ones."""
    status = conditions.status(_facts(FINAL, standing=OLD), None, NOW)
    assert (status["digest"], status["image"]) == (str(OLD.digest), OLD.image)


def test_nothing_stands():
    """Without an EnvoyFilter of ours there is no digest."""
    assert "digest" not in conditions.status(_facts(FINAL), None, NOW)


def test_transition_time():
    """The lastTransitionTime moves exactly for the conditions whose status changed."""
    before = conditions.status(_facts(NEW, DONE), None, THEN)
    after = conditions.status(_facts(NEW, DONE, DONE, NEW), before, NOW)
    times = {condition["type"]: condition["lastTransitionTime"] for condition in after["conditions"]}
    assert times == {"Pulled": THEN, "Verified": THEN, "Programmed": NOW}


_STAGE = st.sampled_from([None, RETRY, FINAL, DONE])
_FACTS = st.builds(
    conditions.Facts,
    st.integers(0, 9),
    st.sampled_from([None, RETRY, FINAL, NEW]),
    _STAGE,
    _STAGE,
    st.sampled_from([None, OLD, NEW]),
)


@given(_FACTS, _FACTS)
def test_same_facts_same_status(before, facts):
    """Folding the same facts again, later, gives an equal status: nothing to write."""
    first = conditions.status(facts, conditions.status(before, None, THEN), NOW)
    assert conditions.status(facts, first, "2030-01-01T00:00:00Z") == first


@given(_FACTS)
def test_status_is_well_formed(facts):
    """Each status has each condition once, with a reason and a message, and no phase but the four."""
    status = conditions.status(facts, None, NOW)
    assert [condition["type"] for condition in status["conditions"]] == ["Pulled", "Verified", "Programmed"]
    for condition in status["conditions"]:
        assert condition["status"] in ("True", "False", "Unknown")
        assert condition["reason"].isalnum()
        assert condition["message"]
    assert status["phase"] in ("Pending", "Synced", "Degraded", "Failed")


def test_long_messages_are_cut():
    """A message of any length becomes one that a status can hold."""
    failure = conditions.Failure("Refused", "x" * 100_000, final=True)
    (pulled, *_) = conditions.conditions(_facts(failure))
    assert len(pulled.message) == conditions.MESSAGE_CHARS


def test_phases_cover_all_outcomes():
    """No combination of facts is without a phase."""
    pulls, rest, standing = (None, RETRY, FINAL, NEW), (None, RETRY, FINAL, DONE), (None, OLD)
    for combination in itertools.product(pulls, rest, rest, standing):
        assert conditions.phase(_facts(*combination))
