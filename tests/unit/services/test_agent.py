"""What travels to an agent and back: everything comes out as it went in, and nonsense is one kind of error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.mesh import LoadWish, RequestWish
from harness.observation import Gap, LoadResult, Response
from harness.services import agent

TEXT = st.text(max_size=12)
NUMBER = st.integers(min_value=0, max_value=70_000)
SECONDS = st.floats(min_value=0, max_value=1e6)
HEADERS = st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple)
REQUESTS = st.builds(
    RequestWish,
    to=TEXT,
    port=NUMBER,
    source=TEXT,
    method=TEXT,
    path=TEXT,
    headers=HEADERS,
    body=st.binary(max_size=20),
    timeout=SECONDS,
)
LOADS = st.builds(
    LoadWish,
    request=REQUESTS,
    rate=SECONDS,
    count=NUMBER,
    kept=NUMBER,
    fresh=NUMBER,
    watch=st.lists(TEXT, max_size=2).map(tuple),
)
RESPONSES = st.builds(
    Response,
    status=st.none() | NUMBER,
    headers=HEADERS,
    body=st.binary(max_size=20),
    app=st.none() | st.dictionaries(TEXT, TEXT | NUMBER, max_size=2),
    error=TEXT,
    seconds=SECONDS,
)
RESULTS = st.builds(
    LoadResult,
    sent=NUMBER,
    failed=NUMBER,
    failures=st.lists(TEXT, max_size=2).map(tuple),
    longest_gap=st.none() | st.builds(Gap, SECONDS, SECONDS),
    seen=st.dictionaries(TEXT, NUMBER, max_size=2),
    retried=NUMBER,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
READERS = [agent.request_of, agent.load_of, agent.response_of, agent.result_of]


@pytest.mark.parametrize(
    ("values", "write", "read"),
    [
        (REQUESTS, agent.request_data, agent.request_of),
        (LOADS, agent.load_data, agent.load_of),
        (RESPONSES, agent.response_data, agent.response_of),
        (RESULTS, agent.result_data, agent.result_of),
    ],
    ids=["request", "load", "response", "result"],
)
def test_what_goes_through_json_comes_back_the_same(values, write, read) -> None:
    """Reading undoes writing, for every value and through real JSON."""

    @given(values)
    def same(value) -> None:
        assert read(json.loads(json.dumps(write(value)))) == value

    same()


@pytest.mark.parametrize("read", READERS)
@given(data=JSON)
def test_nonsense_is_a_value_error(read, data) -> None:
    """Whatever JSON came, reading it gives a value or raises ValueError."""
    try:
        read(data)
    except ValueError:
        return


@pytest.mark.parametrize("read", READERS)
@given(data=st.data())
def test_a_damaged_order_is_a_value_error(read, data) -> None:
    """An order of which one part is replaced by something else is read or refused, and nothing else."""
    kinds = {agent.request_of: (REQUESTS, agent.request_data), agent.load_of: (LOADS, agent.load_data)}
    kinds |= {
        agent.response_of: (RESPONSES, agent.response_data),
        agent.result_of: (RESULTS, agent.result_data),
    }
    values, write = kinds[read]
    order = write(data.draw(values))
    order[data.draw(st.sampled_from(sorted(order)))] = data.draw(JSON)
    try:
        read(order)
    except ValueError:
        return
