"""Facts folded to a status."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm import errors
from autowasm.digest import Digest
from autowasm.istio import conditions, reach
from autowasm.istio.audience import Audience, Stuck

NEW = conditions.Version(Digest.of(b"new"), f"registry.example.com/f@{Digest.of(b'new manifest')}")
OLD = conditions.Version(Digest.of(b"old"), f"registry.example.com/f@{Digest.of(b'old manifest')}")
DONE = conditions.Done()
SKIPPED = conditions.Skipped("NotAsked", "nobody was asked")
RETRY = conditions.Failure("Unreachable", "registry x: no answer", final=False)
FINAL = conditions.Failure("Unauthorized", "registry x: wrong password", final=True)
THEN, NOW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def _facts(pull=None, check=None, program=None, standing=None, **more):
    """Facts in which wasmers have what was checked, where nothing else is said."""
    more.setdefault("serve", DONE if isinstance(check, conditions.Done) else None)
    return conditions.Facts(1, pull, check, program=program, standing=standing, **more)


@pytest.mark.parametrize(
    ("facts", "phase"),
    [
        (_facts(), "Pulling"),
        (_facts(standing=OLD), "Pulling"),
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
        (_facts(NEW, DONE, serve=None), "Pending"),
        (_facts(NEW, DONE, serve=RETRY), "Pending"),
        (_facts(NEW, DONE, serve=RETRY, standing=OLD), "Degraded"),
        (_facts(NEW, DONE, DONE, serve=SKIPPED, standing=NEW), "Synced"),
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
    waits = {"Served": THEN, "Loaded": THEN}
    assert times == {"Pulled": THEN, "Verified": THEN, "Programmed": NOW} | waits


_STAGE = st.sampled_from([None, RETRY, FINAL, DONE])
_COUNT = st.integers(0, 7)
_AUDIENCE = st.builds(
    Audience,
    _COUNT,
    _COUNT,
    _COUNT,
    st.lists(st.builds(Stuck, st.just("default/pod"), st.just("it hangs")), max_size=7).map(tuple),
    st.lists(st.just("default/bare"), max_size=7).map(tuple),
    st.lists(st.integers(1, 9), max_size=2).map(tuple),
)
_FACTS = st.builds(
    conditions.Facts,
    st.integers(0, 9),
    st.sampled_from([None, RETRY, FINAL, NEW]),
    _STAGE,
    _STAGE | st.just(SKIPPED),
    _STAGE,
    st.sampled_from([None, OLD, NEW]),
    st.none() | _AUDIENCE,
    st.integers(0, 2),
    st.sampled_from(["", "runs after default/a"]),
)


@given(_FACTS, _FACTS)
def test_same_facts_same_status(before, facts):
    """Folding the same facts again, later, gives an equal status: nothing to write."""
    first = conditions.status(facts, conditions.status(before, None, THEN), NOW)
    assert conditions.status(facts, first, "2030-01-01T00:00:00Z") == first


@given(_FACTS)
def test_status_is_well_formed(facts):
    """Each status has each condition once, with a reason and a message, and no phase but the five."""
    status = conditions.status(facts, None, NOW)
    types = [condition["type"] for condition in status["conditions"]]
    assert types[:5] == ["Pulled", "Verified", "Served", "Programmed", "Loaded"]
    assert len(set(types)) == len(types)
    for condition in status["conditions"]:
        assert condition["status"] in ("True", "False", "Unknown")
        assert condition["reason"].isalnum()
        assert condition["message"]
    assert status["phase"] in ("Pending", "Pulling", "Synced", "Degraded", "Failed")
    assert ("loaded" in status) == (facts.standing is not None and facts.audience is not None)


def test_long_messages_are_cut():
    """A message of any length becomes one that a status can hold."""
    failure = conditions.Failure("Refused", "x" * 100_000, final=True)
    (pulled, *_) = conditions.conditions(_facts(failure))
    assert len(pulled.message) == reach.MESSAGE_CHARS


def test_phases_cover_all_outcomes():
    """No combination of facts is without a phase."""
    pulls, rest, standing = (None, RETRY, FINAL, NEW), (None, RETRY, FINAL, DONE), (None, OLD)
    for combination in itertools.product(pulls, rest, rest, standing):
        assert conditions.phase(_facts(*combination))


@pytest.mark.parametrize(
    ("audience", "selected", "loaded", "phase"),
    [
        (Audience(3, 3, 3), None, (True, "Loaded"), "Synced"),
        (Audience(3, 2, 1), None, (False, "Loading"), "Synced"),
        (Audience(3, 2, 1, (Stuck("p", "it hangs"),)), None, (False, "Stuck"), "Degraded"),
        (Audience(0, 0, 0), "NoPods", (None, "NoPods"), "Degraded"),
        (Audience(0, 0, 0, without_sidecar=("p",)), "NoSidecar", (None, "NoPods"), "Degraded"),
        (Audience(2, 2, 2, without_sidecar=("p",)), "SomeWithoutSidecar", (True, "Loaded"), "Synced"),
        (Audience(2, 2, 0, foreign_ports=(9,)), "ForeignPort", (False, "Loading"), "Degraded"),
        (Audience(2, 2, 1, unproven=(Stuck("p", "no answer"),)), None, (None, "Unproven"), "Synced"),
        (Audience(2, 2, 2, digest=NEW.digest), None, (True, "Loaded"), "Synced"),
        (Audience(2, 2, 2, digest=OLD.digest), None, (False, "Loading"), "Synced"),
        (Audience(2, 1, 1, (Stuck("p", "it hangs"),), digest=OLD.digest), None, (False, "Loading"), "Synced"),
    ],
)
def test_whom_it_reaches(audience, selected, loaded, phase):
    """What keeps a written filter from its pods is a condition, and a phase where the author has to look."""
    status = conditions.status(_facts(NEW, DONE, DONE, NEW, audience=audience), None, NOW)
    found = {item["type"]: item for item in status["conditions"]}
    words = {True: "True", False: "False", None: "Unknown"}
    assert (found["Loaded"]["status"], found["Loaded"]["reason"]) == (words[loaded[0]], loaded[1])
    assert found.get("Selected", {}).get("reason") == selected
    assert status["phase"] == phase


def test_stuck_pods_are_named():
    """Five stuck pods are named with what holds them, the others counted."""
    stuck = tuple(Stuck(f"pod-{number}", "it hangs") for number in range(8))
    status = conditions.status(_facts(NEW, DONE, DONE, NEW, audience=Audience(9, 1, 1, stuck)), None, NOW)
    message = next(item["message"] for item in status["conditions"] if item["type"] == "Loaded")
    assert message.startswith("1 of 9 sidecars run it; stuck: pod-0 (it hangs), ")
    assert message.endswith("pod-4 (it hangs) and 3 more")


def test_what_is_not_known_now_stays():
    """A controller that has not looked at sidecars yet leaves what was said of them, until the module changes."""
    seen = _facts(NEW, DONE, DONE, NEW, audience=Audience(3, 2, 1, (Stuck("p", "it hangs"),)))
    before = conditions.status(seen, None, THEN)
    assert conditions.status(_facts(NEW, DONE, DONE, NEW), before, NOW) == before
    after = conditions.status(_facts(OLD, DONE, DONE, OLD), before, NOW)
    assert "loaded" not in after
    assert after["phase"] == "Synced"


def test_size_and_abi_stay_with_their_module():
    """What the check measured is kept as long as the same module stands, and goes with it."""
    measured = conditions.Version(NEW.digest, NEW.image, size=321, abi="0.2.1")
    before = conditions.status(_facts(NEW, DONE, DONE, measured), None, THEN)
    assert (before["size"], before["abi"]) == (321, "0.2.1")
    assert conditions.status(_facts(NEW, DONE, DONE, NEW), before, NOW) == before
    assert "size" not in conditions.status(_facts(OLD, DONE, DONE, OLD), before, NOW)
