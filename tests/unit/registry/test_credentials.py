"""Docker's config.json: which entry is for a registry, and what a broken one says."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm import errors
from autowasm.registry import credentials
from autowasm.registry.credentials import Credentials


def _auth(user: str, password: str = "pw") -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def _config(**users: str) -> bytes:
    return json.dumps({"auths": {key: _auth(user) for key, user in users.items()}}).encode()


def _user(keys: list[str], registry: str) -> str | None:
    """Which of the keys (each its own user) is taken for a registry."""
    found = credentials.from_dockerconfigjson(_config(**{key: key for key in keys}), registry)
    return found.username if found else None


@pytest.mark.parametrize(
    ("keys", "registry", "taken"),
    [
        (["r.io"], "r.io", "r.io"),
        (["https://r.io"], "r.io", None),  # the user name ends at the colon of the scheme: see below
        (["r.io/v1/"], "r.io", "r.io/v1/"),
        (["r.io/v2"], "r.io", "r.io/v2"),
        (["R.io"], "r.io", "R.io"),
        (["r.io"], "other.io", None),
        (["r.io"], "x.r.io", None),
        (["*.r.io"], "x.r.io", "*.r.io"),
        (["*.r.io"], "x.y.r.io", None),
        (["*.r.io", "x.r.io"], "x.r.io", "x.r.io"),
        (["r.io/team"], "r.io", None),
        (["r.io/team"], "r.io/team/app", "r.io/team"),
        (["r.io/team"], "r.io/teams/app", None),
        (["r.io", "r.io/team"], "r.io/team/app", "r.io/team"),
        (["r.io", "r.io/team"], "r.io/other/app", "r.io"),
        (["index.docker.io/v1/"], "docker.io", "index.docker.io/v1/"),
        ([], "r.io", None),
    ],
)
def test_matching(keys, registry, taken):
    """The entry whose host matches and whose folder is the longest that does is taken."""
    if any(key.startswith("https") for key in keys):
        data = json.dumps({"auths": {keys[0]: _auth("bob")}}).encode()
        assert credentials.from_dockerconfigjson(data, registry) == Credentials("bob", "pw")
    else:
        assert _user(keys, registry) == taken


@pytest.mark.parametrize("rest", [{}, _auth("00000000-0000-0000-0000-000000000000", ""), _auth("bob")])
def test_identity_token(rest):
    """An identity token counts before whatever stands beside it, and is not shown."""
    data = json.dumps({"auths": {"r.io": {"identitytoken": "long-lived", **rest}}}).encode()
    found = credentials.from_dockerconfigjson(data, "r.io")
    assert found == Credentials(credentials.IDENTITY, "long-lived")
    assert found is not None
    assert found.is_token
    assert "long-lived" not in repr(found)


def test_registry_token():
    """A token for the registry itself counts before a password, and is not shown."""
    data = json.dumps({"auths": {"r.io": {"registrytoken": "for-it", **_auth("bob")}}}).encode()
    found = credentials.from_dockerconfigjson(data, "r.io")
    assert found == Credentials(credentials.BEARER, "for-it")
    assert found is not None
    assert (found.is_bearer, found.is_token) == (True, False)
    assert "for-it" not in repr(found)


@pytest.mark.parametrize("name", ["identitytoken", "registrytoken"])
@pytest.mark.parametrize("token", [["x"], "a\r\nX-Evil: 1", "é"])
def test_token_that_is_none(name, token):
    """A token that is no text, or none that a header can hold, is a broken entry that is not quoted."""
    data = json.dumps({"auths": {"r.io": {name: token}}}).encode()
    with pytest.raises(errors.Final) as caught:
        credentials.from_dockerconfigjson(data, "r.io")
    assert caught.value.reason == "BadSecret"
    assert "Evil" not in caught.value.message


def test_port_counts():
    """A port is part of the registry's name."""
    data = json.dumps({"auths": {"localhost:5000": _auth("bob")}}).encode()
    assert credentials.from_dockerconfigjson(data, "localhost:5000") == Credentials("bob", "pw")
    assert credentials.from_dockerconfigjson(data, "localhost:5001") is None


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (_auth("bob", "a:b:c"), Credentials("bob", "a:b:c")),
        ({"username": "bob", "password": "pw"}, Credentials("bob", "pw")),
        ({"username": "x", "password": "y", **_auth("bob")}, Credentials("bob", "pw")),
        ({"auth": "", "username": "bob", "password": "pw"}, Credentials("bob", "pw")),
        ({}, None),
    ],
)
def test_entries(entry, expected):
    """An entry gives its user name and password in either form; Docker's empty one gives none."""
    data = json.dumps({"auths": {"r.io": entry}}).encode()
    assert credentials.from_dockerconfigjson(data, "r.io") == expected


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"no json",
        b"[]",
        b'{"auths": []}',
        b'{"auths": {"r.io": "x"}}',
        b'{"auths": {"r.io": {"auth": "***"}}}',
        b'{"auths": {"r.io": {"auth": 5}}}',
        b'{"auths": {"r.io": {"auth": "Ym9i"}}}',
        b'{"auths": {"r.io": {"auth": "/w=="}}}',
        b'{"auths": {"r.io": {"username": "bob"}}}',
        b'{"auths": {"r.io": {"username": 5, "password": "hunter2"}}}',
    ],
)
def test_broken(document):
    """A broken secret is said to be one, without its content."""
    with pytest.raises(errors.Final) as caught:
        credentials.from_dockerconfigjson(document, "r.io")
    assert caught.value.reason == "BadSecret"
    assert "hunter2" not in str(caught.value)


def test_others_entries_do_no_harm():
    """A broken entry of another registry is not looked at."""
    data = json.dumps({"auths": {"other.io": {"auth": "***"}, "r.io": _auth("bob")}}).encode()
    assert credentials.from_dockerconfigjson(data, "r.io") == Credentials("bob", "pw")


def test_password_is_not_shown():
    """The representation of credentials, as logs may show it, holds no password."""
    assert "hunter2" not in repr(Credentials("bob", "hunter2"))


def test_docker_config(tmp_path, monkeypatch):
    """The user's own file is found by DOCKER_CONFIG; none is no credentials, a broken one is bad input."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert credentials.from_docker_config("r.io") is None
    file = tmp_path / "config.json"
    file.write_bytes(json.dumps({"auths": {"r.io": _auth("bob")}}).encode())
    assert credentials.from_docker_config("r.io") == Credentials("bob", "pw")
    file.write_bytes(b"{")
    with pytest.raises(errors.Usage) as caught:
        credentials.from_docker_config("r.io")
    assert str(file) in caught.value.message


def test_docker_config_at_home(tmp_path, monkeypatch):
    """Without DOCKER_CONFIG the file is looked for at home."""
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_bytes(json.dumps({"auths": {"r.io": _auth("bob")}}).encode())
    assert credentials.from_docker_config("r.io") == Credentials("bob", "pw")


_TEXT = st.text() | st.text("a:\0é\ud800", max_size=6)  # half a character is valid JSON, and no password
_ENTRY = st.fixed_dictionaries({"username": _TEXT, "password": _TEXT}) | st.dictionaries(
    st.sampled_from(["auth", "username", "password", "identitytoken", "registrytoken"]),
    st.none() | _TEXT | st.integers(),
)


@given(
    st.binary()
    | st.dictionaries(st.sampled_from(["r.io", "*", "", "https://r.io/v1/", "[", "r.io/a"]), _ENTRY).map(
        lambda auths: json.dumps({"auths": auths}).encode()
    )
)
def test_fuzz(data):
    """Any document gives credentials that can be sent, none, or a broken secret."""
    found, reason, said = None, "BadSecret", ""
    try:
        found = credentials.from_dockerconfigjson(data, "r.io/a")
    except errors.Final as error:
        reason, said = error.reason, error.message
    assert (reason, said.isprintable()) == ("BadSecret", True)
    assert found is None or f"{found.username}:{found.password}".encode()
