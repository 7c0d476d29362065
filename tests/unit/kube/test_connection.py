"""Kubeconfigs that cannot be used are the caller's fault, and said so."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autowasm import errors
from autowasm.kube import connection

GOOD = {
    "current-context": "a",
    "clusters": [
        {"name": "c", "cluster": {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": True}}
    ],
    "users": [{"name": "u", "user": {"token": "t"}}],
    "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
}


def test_a_good_file(tmp_path):
    """A kubeconfig with a context, a cluster and a user gives a client."""
    path = tmp_path / "config"
    path.write_text(json.dumps(GOOD))
    assert connection.connect(path).config.cluster.server == "https://127.0.0.1:1"


@pytest.mark.parametrize(
    "change",
    [
        {"current-context": None},
        {"current-context": "other"},
        {"clusters": []},
        {"users": []},
        {"contexts": [{"name": "a", "context": {"cluster": "c"}}]},
        {
            "clusters": [
                {"name": "c", "cluster": {"server": "https://x", "certificate-authority": "none.crt"}}
            ]
        },
        {"clusters": [{"name": "c", "cluster": {"server": "https://x", "certificate-authority": "config"}}]},
        {"clusters": "text"},
    ],
    ids=repr,
)
def test_bad_files(tmp_path, change):
    """A kubeconfig that lacks something, or names what is not there, is bad input."""
    path = tmp_path / "config"
    path.write_text(json.dumps({**GOOD, **change}))
    with pytest.raises(errors.Usage) as caught:
        connection.connect(path)
    assert str(path) in caught.value.message


def test_a_missing_file(tmp_path):
    """A file that is not there is bad input."""
    with pytest.raises(errors.Usage):
        connection.connect(tmp_path / "none")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes(tmp_path, data):
    """Any file is a kubeconfig or bad input, and nothing else happens."""
    path = tmp_path / "config"
    path.write_bytes(data)
    with pytest.raises(errors.Usage):
        connection.connect(path)
