"""What counts as a difference, and how it is told."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import expect
from harness.observation import Gap, LoadResult, Response
from harness.scenario import expectation

APP = {
    "method": "GET",
    "path": "/details/1",
    "port": 9080,
    "headers": [["Host", "details"], ["Hello", "world"]],
}
SEEN = Response(
    200, (("server", "envoy"), ("hello", "world"), ("set-cookie", "a"), ("set-cookie", "b")), b"text", APP
)

AS_EXPECTED = [
    {"status": 200},
    {"status": [404, 200]},
    {"headers": {"hello": "world"}},
    {"headers": {"HELLO": {"matches": "w.*d"}}},
    {"headers": {"set-cookie": ["a", {"contains": "b"}]}},
    {"absent": ["x-other"]},
    {"body": "text"},
    {"body": {"contains": "ex"}},
    {"app": {"headers": {"hello": "world"}, "absent": ["x-other"], "port": 9080, "method": "GET"}},
    {"app": {"path": {"matches": "/details/[0-9]"}}},
]
DIFFERENT = [
    ({"status": 404}, "status: expected 404, found 200"),
    ({"status": [500, 503]}, "status: expected 500 or 503, found 200"),
    ({"headers": {"x-other": "1"}}, 'header x-other: expected "1", it is absent'),
    ({"headers": {"hello": "moon"}}, 'header hello: expected "moon", found "world"'),
    (
        {"headers": {"hello": {"matches": "wor"}}},
        'header hello: expected a text that matches wor, found "world"',
    ),
    ({"headers": {"set-cookie": "a"}}, 'header set-cookie: expected "a", found "a", "b"'),
    ({"headers": {"set-cookie": ["b", "a"]}}, 'header set-cookie: expected "b", "a", found "a", "b"'),
    ({"absent": ["hello"]}, 'header hello: must be absent, found "world"'),
    ({"body": {"contains": "moon"}}, 'body: expected a text that contains "moon", found "text"'),
    ({"app": {"port": 9081}}, "port that reached the application: expected 9081, found 9080"),
    ({"app": {"path": "/"}}, 'path that reached the application: expected "/", found "/details/1"'),
    (
        {"app": {"absent": ["hello"]}},
        'header that reached the application hello: must be absent, found "world"',
    ),
    ({"status": 500, "absent": ["hello"]}, "status: expected 500, found 200"),
]


@pytest.mark.parametrize("expected", AS_EXPECTED, ids=str)
def test_an_answer_as_expected_has_no_difference(expected):
    """Each way to expect something accepts what it means."""
    assert expect.answer(expectation.Answer.model_validate(expected), SEEN).difference == ""


@pytest.mark.parametrize(("expected", "difference"), DIFFERENT, ids=[str(case[0]) for case in DIFFERENT])
def test_the_first_difference_of_an_answer_is_told(expected, difference):
    """A difference names the thing, what was expected, and what was found."""
    assert expect.answer(expectation.Answer.model_validate(expected), SEEN).difference == difference


def test_no_answer_is_a_difference_whatever_was_expected():
    """Where nothing answered, that is what is told, even where only an absence was expected."""
    expected = expectation.Answer.model_validate({"absent": ["hello"]})
    assert expect.answer(expected, Response(None, error="connection refused")).difference == (
        "no answer: connection refused"
    )


def test_an_answer_of_somebody_else_is_a_difference():
    """What must have reached the application is not proved by an answer that the proxy made itself."""
    expected = expectation.Answer.model_validate({"app": {"absent": ["hello"]}})
    seen = Response(503, body=b"no healthy upstream")
    assert expect.answer(expected, seen).difference == "the answer did not come from the application"


OBJECT = {
    "metadata": {"name": "x", "generation": 2},
    "spec": {"ports": [9080, 9081], "on": True},
    "status": {
        "phase": "Degraded",
        "conditions": [
            {"type": "Pulled", "status": "True"},
            {"type": "Verified", "status": "False", "message": "missing-import: env.nothing"},
        ],
    },
}
PATTERNS = [
    ({"status": {"phase": "Degraded"}}, ""),
    ({"status": {"phase": {"matches": "Deg.*"}}}, ""),
    ({"spec": {"ports": [9080, 9081]}}, ""),
    ({"spec": {"other": None}}, ""),
    ({"status": {"conditions": [{"type": "Verified", "message": {"contains": "missing-import"}}]}}, ""),
    ({"status": {"phase": "Synced"}}, 'status.phase: expected "Synced", found "Degraded"'),
    ({"spec": {"ports": [9080]}}, "spec.ports: expected 1 items, found 2: [9080, 9081]"),
    ({"spec": {"ports": [9080, 1]}}, "spec.ports[1]: expected 1, found 9081"),
    ({"spec": {"on": 1}}, "spec.on: expected 1, found true"),
    ({"spec": {"on": None}}, "spec.on: must be absent, found true"),
    (
        {"metadata": {"generation": {"matches": "2"}}},
        "metadata.generation: expected a text that matches 2, found 2",
    ),
    (
        {"status": {"conditions": [{"type": "Verified", "status": "True"}]}},
        'status.conditions[type=Verified].status: expected "True", found "False"',
    ),
    (
        {"status": {"conditions": [{"type": "Programmed"}]}},
        'status.conditions[type=Programmed]: expected {"type": "Programmed"}, there is none',
    ),
    ({"status": {"conditions": {}}}, None),
]


@pytest.mark.parametrize(("pattern", "difference"), PATTERNS, ids=[str(case[0]) for case in PATTERNS])
def test_objects_are_judged_by_the_part_that_matters(pattern, difference):
    """Mappings are subsets, lists of typed things are searched, other lists are whole, null is absence."""
    found = expect.thing(pattern, OBJECT).difference
    assert found == difference if difference is not None else found


def test_a_brief_shows_what_the_pattern_names_and_no_more():
    """The explanation of a failure holds the parts that were asked for."""
    pattern = {"status": {"conditions": [{"type": "Verified", "status": "True"}]}}
    assert expect.thing_brief(pattern, OBJECT) == (
        '{"status": {"conditions": [{"type": "Verified", "status": "False"}]}}'
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(JSON)
def test_every_object_is_as_itself(data):
    """A pattern that is a copy of the object finds no difference."""
    assert expect.thing(copy.deepcopy(data), data).ok


@given(JSON, JSON)
def test_any_pattern_can_be_judged_and_told(pattern, found):
    """No pair of values makes judging or telling fail."""
    assert isinstance(expect.thing(pattern, found).difference, str)
    assert isinstance(expect.thing_brief(pattern, found), str)


MET = LoadResult(
    500,
    2,
    ("503", "reset"),
    Gap(0.25, 3.0),
    {"x-filter-version: v1": 200, "x-filter-version: v2": 298, "x-rare: a": 3},
)
LOADS = [
    ({"sent": {"at-least": 500}}, ""),
    ({"failed": 2}, ""),
    ({"seen": {"x-filter-version": ["v2", "v1"]}}, ""),
    ({"longest-gap": "250ms"}, ""),
    ({"failed": 0}, "failed requests: expected 0, found 2 of 500"),
    ({"sent": {"at-least": 501}}, "sent requests: expected at least 501, found 500"),
    ({"seen": {"x-filter-version": ["v2"]}}, "values of x-filter-version: expected v2, found v1, v2"),
    ({"seen": {"x-other": ["v2"]}}, "values of x-other: expected v2, found none"),
    ({"seen": {"x-rare": ["a"]}}, "values of x-rare: expected in every good answer, 495 had none"),
    ({"longest-gap": "100ms"}, "longest gap: expected at most 0.1 s, found 0.250 s, 3.0 s after the start"),
]


@pytest.mark.parametrize(("expected", "difference"), LOADS, ids=[str(case[0]) for case in LOADS])
def test_a_load_is_judged_by_what_it_met(expected, difference):
    """Failures exactly, sent requests and gaps by their bound, values as a set."""
    assert expect.load(expectation.Met.model_validate(expected), MET).difference == difference
