"""Passwords in Docker's config.json and in credential helpers, read and written as Docker's client does."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from autowasm import errors
from autowasm.oci.reference import Reference
from autowasm.registry.credentials import Credentials
from autowasm.wasmc import keyring
from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer
from tests.unit.wasmc.test_cli import ROOT

BOB = Credentials("bob", "pw")
# A helper that keeps its secrets in a file beside it, and behaves as Docker's own do.
HELPER = """\
    #!{python} -S
    import json, pathlib, sys
    file = pathlib.Path(__file__).with_name("secrets.json")
    kept = json.loads(file.read_text()) if file.exists() else {{}}
    verb, said = sys.argv[1], sys.stdin.read()
    if verb == "store":
        kept[json.loads(said)["ServerURL"]] = json.loads(said)
    elif said not in kept:
        print("credentials not found in native keychain")
        sys.exit(1)
    elif verb == "erase":
        del kept[said]
    else:
        print(json.dumps(kept[said]))
    file.write_text(json.dumps(kept))
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Docker's folder and its file, and a helper called `file` on PATH."""
    helper = tmp_path / "bin" / "docker-credential-file"
    helper.parent.mkdir()
    helper.write_text(textwrap.dedent(HELPER).format(python=sys.executable))
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(helper.parent))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return tmp_path / "docker" / "config.json"


def _write(config: Path, document: object) -> None:
    config.parent.mkdir(exist_ok=True)
    config.write_text(json.dumps(document))


def _auth(pair: str) -> dict[str, str]:
    return {"auth": base64.b64encode(pair.encode()).decode()}


def test_kept_in_the_file(config):
    """A password is kept as Docker keeps it, in a file for the user alone, and found again."""
    assert keyring.find("r.io", "a") is None
    assert keyring.save("r.io", BOB) == str(config)
    assert json.loads(config.read_text()) == {"auths": {"r.io": _auth("bob:pw")}}
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert keyring.find("r.io", "a") == BOB
    assert keyring.erase("r.io")
    assert not keyring.erase("r.io")
    assert keyring.find("r.io", "a") is None


def test_the_rest_of_the_file_stays(config):
    """What others keep in the file is there after a login and a logout as before."""
    before = {"auths": {"other.io": _auth("eve:x")}, "HttpHeaders": {"a": "b"}, "psFormat": "table"}
    _write(config, before)
    keyring.save("r.io", BOB)
    assert keyring.find("other.io", "a") == Credentials("eve", "x")
    keyring.erase("r.io")
    assert json.loads(config.read_text()) == before


def test_a_linked_file_stays_a_link(config, tmp_path):
    """A config.json that is a link, as dotfiles' managers make it, is written through the link."""
    _write(tmp_path / "docker" / "real.json", {})
    config.symlink_to("real.json")
    keyring.save("r.io", BOB)
    assert config.is_symlink()
    assert keyring.find("r.io", "a") == BOB


def test_an_old_key_is_replaced(config):
    """An entry that an older client wrote under a URL is replaced, not left beside the new one."""
    _write(config, {"auths": {"https://r.io": _auth("bob:old")}})
    keyring.save("r.io", BOB)
    assert json.loads(config.read_text())["auths"] == {"r.io": _auth("bob:pw")}


def test_docker_hub(config):
    """Docker Hub's password lies under the key that Docker's own client uses."""
    keyring.save("docker.io", BOB)
    assert list(json.loads(config.read_text())["auths"]) == ["https://index.docker.io/v1/"]
    assert keyring.find("docker.io", "library/a") == BOB


@pytest.mark.parametrize("named", [{"credsStore": "file"}, {"credHelpers": {"r.io": "file"}}])
def test_kept_by_a_helper(config, named):
    """Where the file names a helper it keeps the password, and the file holds none."""
    _write(config, named)
    assert keyring.find("r.io", "a") is None
    assert keyring.save("r.io", BOB) == "credential helper file"
    assert json.loads(config.read_text()) == named
    assert keyring.find("r.io", "a") == BOB
    assert keyring.erase("r.io")
    assert keyring.find("r.io", "a") is None
    assert not keyring.erase("r.io")


def test_helper_of_another_registry(config):
    """A helper for one registry is not asked about others, and the file's entries count beside a helper."""
    _write(config, {"credHelpers": {"other.io": "none"}, "auths": {"r.io": _auth("bob:pw")}})
    assert keyring.find("r.io", "a") == BOB
    _write(config, {"credsStore": "file", "auths": {"r.io": _auth("bob:pw")}})
    assert keyring.find("r.io", "a") == BOB


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (
            {"credsStore": "none"},
            "credential helper 'none': must be on PATH as docker-credential-none, is not",
        ),
        ({"credsStore": "../x"}, "a credential helper must be a name, found '../x'"),
        ({"credsStore": 1}, "a credential helper must be a name, found 1"),
        ({"auths": []}, "auths must be an object of registries"),
        ([], "must be a JSON object"),
    ],
)
def test_broken(config, document, said):
    """A file or a helper that cannot be used is bad input that says so, and the file stays as it is."""
    _write(config, document)
    with pytest.raises(errors.Usage) as caught:
        keyring.save("r.io", BOB)
    assert said in caught.value.message
    assert json.loads(config.read_text()) == document


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo locked; exit 1", "must answer get: locked"),
        ("echo oops >&2; exit 3", "must answer get: oops"),
        ("exit 3", "must answer get: exit code 3"),
        ("echo '{}'", "must answer with Username and Secret"),
        ("echo '['", "must answer with Username and Secret"),
        ("""echo '{"Username":null,"Secret":"x"}'""", "must answer with Username and Secret"),
    ],
)
def test_helper_that_fails(config, tmp_path, script, said):
    """What a helper says of its failure is told; a failure is not taken for having no password."""
    _write(config, {"credsStore": "file"})
    (tmp_path / "bin" / "docker-credential-file").write_text(f"#!/bin/sh\n{script}\n")
    with pytest.raises(errors.Usage) as caught:
        keyring.find("r.io", "a")
    assert said in caught.value.message


def _wasmc(config: Path, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(ROOT), "DOCKER_CONFIG": str(config.parent), "PATH": ""}
    return subprocess.run(
        [sys.executable, "-m", "autowasm.wasmc", *args],
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_login_and_logout(config):
    """A login shows the registry the password before it is kept; one that is refused is not kept."""
    right = f"Basic {base64.b64encode(b'bob:pw').decode()}"
    challenge = Answer(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    with tiny_server.serving() as server:
        server.routes["GET", "/v2/"] = lambda seen: (
            Answer(200) if seen.headers.get("authorization") == right else challenge
        )
        args = ("login", server.host, "--username", "bob", "--password-stdin")
        refused = _wasmc(config, *args, stdin="wrong\n")
        assert refused.returncode == 1
        assert refused.stderr.splitlines()[-1] == f"hint: Give credentials that may log in to {server.host}."
        assert not config.exists()
        taken = _wasmc(config, *args, stdin="pw\n")
        assert taken.stdout.splitlines() == [f"Logged in to {server.host} as bob", f"Stored: {config}"]
        assert "pw" not in taken.stdout + taken.stderr
    assert keyring.find(server.host, "a") == BOB
    out = _wasmc(config, "logout", server.host, "--output", "json")
    assert json.loads(out.stdout) == {"registry": server.host, "was_logged_in": True}
    assert keyring.find(server.host, "a") is None


def test_login_asks_for_no_repository(config):
    """The token of a login is asked for without a scope: some servers refuse a scope that is nobody's."""
    with tiny_server.serving() as server:
        realm = f'Bearer realm="{server.url}/token",service="s"'
        server.routes["GET", "/v2/"] = lambda seen: (
            Answer(200)
            if seen.headers.get("authorization") == "Bearer t"
            else Answer(401, headers={"WWW-Authenticate": realm})
        )
        server.routes["GET", "/token"] = Answer(200, b'{"token":"t"}')
        args = ("login", server.host, "--username", "bob", "--password-stdin")
        assert _wasmc(config, *args, stdin="pw").returncode == 0
        (asked,) = server.asked("GET", "/token")
    assert asked.path == "/token?service=s"
    assert asked.headers["authorization"].startswith("Basic ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without an account")
def test_nobodys_home():
    """A user without an account, as in a container, has no passwords; to keep one is bad input."""
    code = (
        "import os; from autowasm import errors; from autowasm.wasmc import keyring; os.setuid(54321)\n"
        "print(keyring.find('r.io', 'a'))\n"
        "try: keyring.save('r.io', keyring.Credentials('bob', 'pw'))\n"
        "except errors.Usage as error: print(error.message)\n"
    )
    environment = {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    said = ["None", "docker config: must be in a home, this user has none"]
    assert ran.stdout.splitlines() == said, ran.stderr


def test_identity_token_of_a_helper(config, tmp_path):
    """A helper that keeps an identity token says so by the user's name, and it counts as one."""
    _write(config, {"credsStore": "file"})
    (tmp_path / "bin" / "docker-credential-file").write_text(
        """#!/bin/sh\necho '{"ServerURL":"r.io","Username":"<token>","Secret":"abc"}'\n"""
    )
    assert keyring.find("r.io", "a").is_token


@pytest.mark.parametrize(
    "text", ["r.io", "https://r.io/", "r.io:5000", "localhost", "docker.io", "[::1]:5000"]
)
def test_names_of_registries(text):
    """A registry is named by its host, as docker login takes it."""
    from autowasm.wasmc.connection import RegistryType

    found = RegistryType().convert(text, None, None)
    assert found == Reference(text.removeprefix("https://").rstrip("/"), "")
