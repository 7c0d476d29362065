"""What a user configures, a helper answers and a registry holds, whatever it is: read, or told as what is wrong."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autowasm import errors
from autowasm.digest import Digest
from autowasm.oci import artifact, manifest
from autowasm.oci.reference import Reference
from autowasm.registry import download
from autowasm.wasmc import inspect, keyring

_TEXT = st.text(max_size=20) | st.text("a:\0\x1bé\ud800", max_size=6)  # half a character is valid JSON
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXT,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["r.io", "auth", "x"]), inner)
    ),
)
_AUTH = st.fixed_dictionaries({"username": _TEXT, "password": _TEXT}) | st.dictionaries(
    st.sampled_from(["auth", "username", "password", "identitytoken", "registrytoken"]), _JSON
)
_ENTRIES = _JSON | st.fixed_dictionaries({"r.io": _AUTH}, optional={"*.io": _AUTH, "https://r.io/v1/": _AUTH})
_DOCUMENTS = st.binary(max_size=60) | st.fixed_dictionaries(
    {"auths": _ENTRIES}, optional={"credHelpers": _ENTRIES, "credsStore": _ENTRIES}
).map(lambda document: json.dumps(document).encode())
_ANSWERS = st.fixed_dictionaries({"Username": _TEXT, "Secret": _TEXT})
_ONE_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)


@pytest.fixture
def config(tmp_path, monkeypatch) -> Path:
    """Docker's config.json, and no helper on PATH but one called `any`, which answers what stands beside it."""
    (tmp_path / "config.json").touch()
    helper = tmp_path / "docker-credential-any"
    helper.write_text(f'#!/bin/sh\nwhile IFS= read -r line; do printf %s "$line"; done < {tmp_path}/answer\n')
    helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


def _find() -> None:
    """Look up a password; what is found can be sent, what is said of a fault can be printed."""
    try:
        found = keyring.find("r.io", "team/a")
        assert found is None or f"{found.username}:{found.password}".encode()
    except errors.Usage as error:
        assert str(error).isprintable()  # noqa: PT017 - either may come


@_ONE_FOLDER
@given(_DOCUMENTS)
def test_docker_config(config, data):
    """Any config.json gives a password that can be sent, none, or one line of what is wrong."""
    config.write_bytes(data)
    _find()
    with contextlib.suppress(errors.Usage):
        keyring.erase("r.io")


@_ONE_FOLDER
@given(st.booleans().flatmap(lambda whole: _ANSWERS if whole else _JSON).map(json.dumps))
def test_helper(config, answer):
    """Any answer of a credential helper gives a password that can be sent, or one line of what is wrong."""
    config.write_text('{"credsStore":"any"}')
    (config.parent / "answer").write_text(answer + os.linesep)
    _find()


@given(st.dictionaries(_TEXT, _TEXT, max_size=3), _TEXT, _TEXT)
def test_inspected(annotations, system, title):
    """What strangers write into a manifest is printed on lines of its own, without control characters, and as JSON."""
    blob = artifact.Blob.of("application/x", b"").descriptor() | {"annotations": {"title": title}}
    listed = blob | {"mediaType": manifest.OCI_MANIFEST, "platform": {"os": system, "architecture": "x"}}
    image = {"config": blob, "layers": [blob], "mediaType": manifest.OCI_MANIFEST}
    for members in (image, {"manifests": [listed], "mediaType": manifest.OCI_INDEX}):
        data = json.dumps({"schemaVersion": 2, "annotations": annotations, **members}).encode()
        stored = download.Stored(Digest.of(data), manifest.parse(data), data)
        found = inspect.Inspected(
            Reference.parse("r.io/a:v1"), stored, annotations, None, None, "it has none"
        )
        for line in found.lines():
            assert line.isprintable()
            assert line.encode()
        assert json.dumps(found.to_json()).isascii()
