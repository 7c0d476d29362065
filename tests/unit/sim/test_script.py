"""Scripts: the committed schema is the model's, faults are named, any document is answered or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.samples import Samples
from harness.sim import batch, script

ROOT = Path(__file__).parents[3]
SAMPLES = Samples(ROOT / "wasm_samples")
SCHEMA = json.loads((ROOT / "harness/sim/script.schema.json").read_text("utf-8"))
FULL: dict[str, Any] = {
    "envoy": "1.40",
    "plugin": {"name": "p", "configuration": None, "failure_policy": "FAIL_OPEN", "environment": {"A": "1"}},
    "node": {"id": "n", "cluster": "c", "metadata": {"a": {"b": [1, "x", True, None]}}},
    "route": {"name": "r", "cluster": "app", "timeout_ms": 100},
    "clusters": {
        "app": [
            {"match": {"path_prefix": "/", "headers": {}}, "status": 201, "body": ["a", {"base64": "/w=="}]}
        ]
    },
    "client_timeout_ms": 500,
    "requests": [
        {
            "name": "one",
            "method": "POST",
            "path": "/",
            "headers": [["X-A", "1"]],
            "body": ["b"],
            "trailers": None,
        }
    ],
}


def test_schema_is_committed() -> None:
    """The schema beside the code is what the model makes: ``harness sim --schema`` writes it anew."""
    assert script.schema() == SCHEMA


def test_full_script() -> None:
    """A script that says everything fits the schema, and is answered in the documented shape."""
    jsonschema.validate(FULL, SCHEMA)
    answer = batch.run(SAMPLES.module("good/minimal"), FULL)
    assert (answer["loaded"], answer["error"], answer["metrics"]) == (True, None, {})
    [result] = answer["results"]
    assert (result["name"], result["outcome"], result["status"]) == ("one", "response", 201)
    assert result["body"] == {"base64": "Yf8="}
    [arrived] = result["upstream"]
    assert (arrived["cluster"], arrived["method"], arrived["path"], arrived["body"]) == (
        "app",
        "POST",
        "/",
        "b",
    )
    assert ["x-a", "1"] in arrived["headers"]
    json.dumps(answer)


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"plugins": {}}, "plugins"),
        ({"requests": [{"metod": "GET"}]}, "requests.0.metod"),
        ({"requests": [{"headers": [["one"]]}]}, "requests.0.headers.0"),
        ({"clusters": {"a": [{"body": [{"base64": "?"}]}]}}, "clusters.a.0.body.0"),
        ({"plugin": {"failure_policy": "OPEN"}}, "plugin.failure_policy"),
        ({"envoy": "new"}, "envoy"),
    ],
)
def test_faults_are_named(document: dict[str, Any], place: str) -> None:
    """What does not fit is refused, with its place."""
    with pytest.raises(script.Fault, match=place.replace(".", r"\.")):
        batch.run(b"", document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(FULL)), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(list(FULL)), JSON, max_size=4))
def test_any_document(document: dict[str, Any]) -> None:
    """Any document is answered or refused."""
    try:
        answer = batch.run(b"", document)
    except script.Fault:
        return
    assert not answer["loaded"]


def test_older_envoy_lacks_functions() -> None:
    """What an Envoy version does not offer yet is a missing import."""
    module = SAMPLES.module("good/minimal")
    assert batch.run(module, {"envoy": "1.30"})["loaded"]


def test_not_loaded_under_each_policy() -> None:
    """A module that is not loaded is a 503, or is left out, as a sidecar has it."""
    asked = {"clusters": {"app": [{}]}, "requests": [{}]}
    statuses = [
        batch.run(b"", asked | {"plugin": {"failure_policy": policy}})["results"][0]["status"]
        for policy in ("FAIL_CLOSED", "FAIL_OPEN", "FAIL_RELOAD")
    ]
    assert statuses == [503, 200, 503]
