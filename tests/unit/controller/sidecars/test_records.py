"""Who fetched what, as wasmers tell it, and which container that speaks for."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm import limits
from autowasm.controller.sidecars import records
from autowasm.controller.sidecars.records import Fetch, Records, Telling
from tests.unit.controller.sidecars import things
from tests.unit.controller.sidecars.things import V1, V2


def fetch(number, time=150.0, address="10.0.0.7", digest=V1):
    """A fetch."""
    return Fetch(number, address, digest, time)


def told(after, *fetches, wasmer="w1"):
    """What wasmer tells."""
    return Telling(wasmer, after, fetches)


def test_what_a_wasmer_sends():
    """A body of the contract is read; addresses get their one spelling."""
    entry = {"n": 3, "address": "::ffff:10.0.0.7", "digest": V1.hex, "time": "1970-01-01T00:02:30Z"}
    body = json.dumps({"wasmer": "w1", "after": 2, "fetches": [entry]}).encode()
    assert records.read(body) == told(2, fetch(3))


GOOD = {"n": 3, "address": "10.0.0.7", "digest": V1.hex, "time": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        {"wasmer": "", "after": 0, "fetches": []},
        {"wasmer": "w" * 1000, "after": 0, "fetches": []},
        {"wasmer": "w", "after": -1, "fetches": []},
        {"wasmer": "w", "after": True, "fetches": []},
        {"wasmer": "w", "after": 3, "fetches": [GOOD]},
        {"wasmer": "w", "after": 2, "fetches": [GOOD, GOOD]},
        {"wasmer": "w", "after": 2, "fetches": [{**GOOD, "address": "nowhere"}]},
        {"wasmer": "w", "after": 2, "fetches": [{**GOOD, "digest": "short"}]},
        {"wasmer": "w", "after": 2, "fetches": [{**GOOD, "time": "yesterday"}]},
        {"wasmer": "w", "after": 2, "fetches": [{**GOOD, "n": 2**70}]},
        {"wasmer": "w", "after": 2, "fetches": [None]},
    ],
)
def test_what_is_not_of_the_contract(body):
    """Whatever else is sent is refused as a whole, with one kind of error."""
    with pytest.raises(ValueError):  # noqa: PT011 - the caller answers 400 with whatever it says
        records.read(body if isinstance(body, bytes) else json.dumps(body).encode())


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_is_read_or_refused(data):
    """No JSON raises anything but ValueError."""
    with contextlib.suppress(ValueError):
        records.read(json.dumps(data).encode())


def test_a_fetch_is_remembered_for_the_container_that_lives():
    """The container that began before it has it; one that began after has not, nor another address or digest."""
    kept = Records()
    assert kept.take(told(0, fetch(1, time=150.0))) == [fetch(1)]
    assert kept.fetched(things.pod("a", since=100.0), V1) == 150.0
    assert kept.fetched(things.pod("a", since=160.0), V1) is None
    assert kept.fetched(things.pod("a", since=100.0), V2) is None
    assert kept.fetched(things.pod("a", since=100.0, address="10.0.0.8"), V1) is None


def test_clocks_may_be_a_little_apart():
    """A wasmer whose clock is a second behind the node's is believed."""
    kept = Records()
    kept.take(told(0, fetch(1, time=99.0)))
    assert kept.fetched(things.pod("a", since=100.0), V1) == 99.0


def test_all_wasmers_are_merged_and_the_last_fetch_counts():
    """Two wasmers count for themselves; an older telling of the same fetch does not undo a newer one."""
    kept = Records()
    kept.take(told(0, fetch(1, time=300.0)))
    kept.take(told(0, fetch(1, time=200.0), wasmer="w2"))
    assert kept.fetched(things.pod("a", since=250.0), V1) == 300.0
    assert (kept.have("w1"), kept.have("w2"), kept.have("w3")) == (1, 1, 0)


def test_what_is_known_already_is_no_news():
    """A telling that is sent again changes nothing."""
    kept = Records()
    kept.take(told(0, fetch(1)))
    assert kept.take(told(0, fetch(1), fetch(2, digest=V2))) == [fetch(2, digest=V2)]
    assert kept.have("w1") == 2


def test_a_controller_that_lost_all_asks_for_all():
    """A telling that begins too late is not taken, so that the wasmer begins where this controller ends."""
    kept = Records()
    assert kept.take(told(5, fetch(6))) == []
    assert kept.have("w1") == 0
    assert len(kept.take(told(0, fetch(1), fetch(6)))) == 2
    assert kept.have("w1") == 6


def test_a_wasmer_that_has_no_more_is_believed():
    """A wasmer that begins there again has dropped what was before it."""
    kept = Records()
    kept.take(told(5, fetch(6)))
    assert kept.take(told(5, fetch(6))) == [fetch(6)]
    assert kept.have("w1") == 6


def test_it_never_grows_without_end():
    """Beyond their caps the oldest records and wasmers are dropped."""
    kept = Records()
    kept.put("10.9.9.9", V1, 1.0)
    for number in range(limits.FETCH_RECORDS):
        kept.put(f"a{number}", V1, 2.0)
    assert len(kept) == limits.FETCH_RECORDS
    assert kept.fetched(things.pod("a", since=0.0, address="10.9.9.9"), V1) is None
    for number in range(limits.FETCH_TELLERS + 1):
        kept.reach(f"w{number}", 1)
    assert (kept.have("w0"), kept.have("w1")) == (0, 1)


FETCHES = st.lists(
    st.builds(
        Fetch,
        st.just(0),
        st.sampled_from(["10.0.0.1", "10.0.0.2"]),
        st.sampled_from([V1, V2]),
        st.floats(1, 9),
    ),
    max_size=8,
)


@given(FETCHES, st.integers(0, 400))
def test_lines_say_all(fetches, cut):
    """Lines that are read again give the same records; whatever is cut off their end loses at most what was cut."""
    kept = Records()
    for number, one in enumerate(fetches, start=1):
        kept.put(one.address, one.digest, one.time)
        kept.reach("w1", number)
    text = "\n".join(kept.lines())
    again = Records()
    again.learn(text.splitlines())
    assert list(again.lines()) == list(kept.lines())
    partly = Records()
    partly.learn(text[: max(0, len(text) - cut)].splitlines())
    assert set(partly.lines()) <= set(kept.lines())
