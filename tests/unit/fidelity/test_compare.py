"""Every field of an answer is compared, but for what the table of allowances names."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from harness.fidelity import allowed, compare, report

LINE = {"level": "info", "message": "seen 01234567-89ab-cdef-0123-456789abcdef"}
ARRIVAL = {
    "cluster": "app",
    "method": "GET",
    "path": "/",
    "headers": [["host", "a"], ["x-request-id", "1"]],
    "body": "",
    "trailers": [],
}
ANSWER: dict[str, Any] = {
    "loaded": True,
    "error": None,
    "start_logs": [dict(LINE)],
    "results": [
        {
            "name": "get",
            "outcome": "response",
            "status": 200,
            "headers": [["x-a", "1"], ["x-a", "2"], ["date", "today"]],
            "body": "hello",
            "trailers": [["t", "1"]],
            "upstream": [ARRIVAL],
            "logs": [LINE],
        }
    ],
    "metrics": {"hits": 3, "sizes": {"count": 2, "sum": 10}},
}


def test_equal_answers() -> None:
    """An answer does not differ from itself, and every field of it was compared."""
    found = compare.answers("case", ANSWER, copy.deepcopy(ANSWER))
    assert (found.comparisons, found.differences) == (12, [])


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (["loaded"], False, "loaded"),
        (["error"], "no", "error"),
        (["start_logs", 0, "level"], "debug", "start_logs"),
        (["results", 0, "outcome"], "timeout", "get.outcome"),
        (["results", 0, "status"], 201, "get.status"),
        (["results", 0, "headers"], [["x-a", "2"], ["x-a", "1"]], "get.headers"),
        (["results", 0, "body"], "", "get.body"),
        (["results", 0, "trailers"], [], "get.trailers"),
        (["results", 0, "upstream", 0, "headers", 0, 1], "b", "get.upstream"),
        (["results", 0, "upstream"], [], "get.upstream"),
        (["results", 0, "logs"], [], "get.logs"),
        (["metrics", "hits"], 4, "metrics"),
        (["metrics", "sizes", "count"], 3, "metrics"),
    ],
)
def test_each_field_is_compared(path: list[Any], value: Any, where: str) -> None:
    """A change of one field is one difference, at its place."""
    other = copy.deepcopy(ANSWER)
    target: Any = other
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    found = compare.answers("case", other, ANSWER)
    assert [(each.case, each.where) for each in found.differences] == [("case", where)]


def test_a_missing_result_is_a_difference() -> None:
    """Fewer results than requests do not pass for equal."""
    found = compare.answers("case", {**ANSWER, "results": []}, ANSWER)
    assert [each.where for each in found.differences] == ["results"]


def test_what_is_not_compared() -> None:
    """Headers of the connection, random values and the engine's own words make no difference."""
    other = copy.deepcopy(ANSWER)
    result = other["results"][0]
    result["headers"] = [["x-a", "1"], ["x-a", "2"], ["server", "envoy"]]
    result["upstream"][0]["headers"][1][1] = "another"
    result["logs"] = [{**LINE, "message": LINE["message"].replace("0123", "4567")}]
    other["metrics"]["sizes"]["sum"] = 11
    assert compare.answers("case", other, ANSWER).differences == []
    assert compare.said("Function: f failed: Uncaught RuntimeError: unreachable") == "Function: f failed:"
    assert compare.said("Wasm VM failed Failed to load Wasm bytecode: why") == "Failed to load Wasm bytecode"


def test_every_allowance_has_a_reason() -> None:
    """Nothing is dropped, masked or known without words that say why."""
    assert all([*allowed.DROPPED.values(), *allowed.MASKED.values()])
    assert all(each.reason and each.source for each in allowed.KNOWN)


def test_the_report_points_at_the_place() -> None:
    """A difference deep in a list of headers is shown by its place, not by two long lists."""
    ours, theirs = [{"h": [["a", "1"]]}], [{"h": [["a", "2"]]}]
    assert report.innermost(ours, theirs) == ("[0].h[0][1]", "1", "2")
    assert report.innermost([1], [1, 2]) == ("[1:]", [], [2])
    assert report.innermost({"a": 1}, {"a": 1, "b": 2}) == (".b", None, 2)
