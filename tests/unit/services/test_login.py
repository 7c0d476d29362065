"""Logging in as kubeconfig files say: each way is tried against a server that tells who came."""

from __future__ import annotations

import base64
import json
import ssl
import stat
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.services import login
from harness.services.pki import Authority


class Server:
    """Tells who came: the authorization field, and the subject of the certificate. Refuses ``refused`` tokens."""

    def __init__(self, folder: Path, name: str = "127.0.0.1") -> None:
        self.authority = Authority(folder)
        self.refused: set[str] = set()
        pair = self.authority.server("server", [name])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        context.load_verify_locations(self.authority.ca)
        context.verify_mode = ssl.CERT_OPTIONAL
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                shown = self.connection.getpeercert() or {}  # type: ignore[attr-defined]
                names = [
                    value for part in shown.get("subject", ()) for key, value in part if key == "commonName"
                ]
                field = self.headers.get("authorization", "")
                told = {"authorization": field, "names": names, "for": self._impersonated()}
                data = json.dumps(told).encode()
                self.send_response(401 if field in outer.refused else 200)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def _impersonated(self) -> list[list[str]]:
                fields = [[name.lower(), value] for name, value in self.headers.items()]
                return [field for field in fields if field[0].startswith("impersonate-")]

            def log_message(self, *_args: Any) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def cluster(self, **more: Any) -> dict[str, Any]:
        """The cluster as a kubeconfig has it."""
        ca = base64.b64encode(self.authority.ca.read_bytes()).decode()
        return {
            "server": f"https://127.0.0.1:{self.http.server_port}",
            "certificate-authority-data": ca,
            **more,
        }


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server."""
    started = Server(tmp_path / "server")
    yield started
    started.http.shutdown()
    started.http.server_close()


def kubeconfig(folder: Path, cluster: dict[str, Any], user: dict[str, Any]) -> Path:
    """A file with one context, ``one``."""
    file = folder / "config"
    content = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "one",
    }
    file.write_text(yaml.safe_dump(content))
    return file


def who(file: Path, context: str | None = None) -> dict[str, Any]:
    """Who the server thinks came."""
    with login.with_kubeconfig(file, context) as client:
        told: dict[str, Any] = client.get("/").json()
        return told


def plugin(folder: Path, *printed: Any) -> dict[str, Any]:
    """A credential plugin that prints one after the other, the last for ever; it notes what it was told."""
    file = folder / "plugin"
    (folder / "answers.json").write_text(json.dumps(printed))
    file.write_text(
        f"#!{sys.executable}\n"
        "import json, os, pathlib\n"
        "here = pathlib.Path(__file__).parent; asked = here / 'asked'\n"
        "asked.open('a').write(os.environ['KUBERNETES_EXEC_INFO'] + '\\n')\n"
        "answers = json.loads((here / 'answers.json').read_text())\n"
        "print(json.dumps(answers[min(len(asked.read_text().splitlines()), len(answers)) - 1]))\n"
    )
    file.chmod(stat.S_IRWXU)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin"}}


def credential(**status: str) -> dict[str, Any]:
    """What a plugin prints."""
    return {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}


def test_a_token_is_shown(server: Server, tmp_path: Path) -> None:
    """A token in the file is sent."""
    assert who(kubeconfig(tmp_path, server.cluster(), {"token": "t"}))["authorization"] == "Bearer t"


def test_a_token_file_is_read_at_each_use(server: Server, tmp_path: Path) -> None:
    """A token that is put anew into its file, named relative to the kubeconfig, is used from then on."""
    (tmp_path / "token").write_text("one\n")
    with login.with_kubeconfig(kubeconfig(tmp_path, server.cluster(), {"tokenFile": "token"})) as client:
        assert client.get("/").json()["authorization"] == "Bearer one"
        (tmp_path / "token").write_text("two\n")
        assert client.get("/").json()["authorization"] == "Bearer two"


def test_a_user_and_a_password_are_shown(server: Server, tmp_path: Path) -> None:
    """Basic authentication, as gateways before API servers have it."""
    told = who(kubeconfig(tmp_path, server.cluster(), {"username": "u", "password": "p"}))
    assert told["authorization"] == f"Basic {base64.b64encode(b'u:p').decode()}"


@pytest.mark.parametrize("inside", [True, False])
def test_a_certificate_is_shown(server: Server, tmp_path: Path, inside: bool) -> None:
    """A client certificate out of the file itself, or out of files beside it."""
    pair = server.authority.client("somebody")
    files = {"client-certificate": pair.certificate, "client-key": pair.key}
    user = {f"{key}-data": base64.b64encode(file.read_bytes()).decode() for key, file in files.items()}
    if not inside:
        for key, file in files.items():
            (tmp_path / key).write_bytes(file.read_bytes())
        user = {key: key for key in files}
    assert who(kubeconfig(tmp_path, server.cluster(), user))["names"] == ["somebody"]


def test_a_plugin_is_asked_once_while_its_token_holds(server: Server, tmp_path: Path) -> None:
    """A plugin beside the file prints a token, which is used again; it is told what it must know."""
    user = plugin(tmp_path, credential(token="first"))
    user["exec"]["provideClusterInfo"] = True
    with login.with_kubeconfig(kubeconfig(tmp_path, server.cluster(), user)) as client:
        assert [client.get("/").json()["authorization"] for _ in range(3)] == ["Bearer first"] * 3
    (told,) = (tmp_path / "asked").read_text().splitlines()
    assert json.loads(told)["spec"]["cluster"]["server"] == server.cluster()["server"]


def test_a_plugin_is_asked_again_when_its_token_is_over(server: Server, tmp_path: Path) -> None:
    """A token whose time is over, and one that the server refuses, are each replaced by a new one."""
    over = credential(token="over", expirationTimestamp="2001-01-01T00:00:00Z")
    user = plugin(tmp_path, over, credential(token="refused"), credential(token="good"))
    server.refused.add("Bearer refused")
    with login.with_kubeconfig(kubeconfig(tmp_path, server.cluster(), user)) as client:
        assert client.get("/").json()["authorization"] == "Bearer good"


def test_a_plugin_may_give_a_certificate(server: Server, tmp_path: Path) -> None:
    """A certificate that a plugin prints is shown."""
    pair = server.authority.client("by-plugin")
    printed = credential(
        clientCertificateData=pair.certificate.read_text(), clientKeyData=pair.key.read_text()
    )
    assert who(kubeconfig(tmp_path, server.cluster(), plugin(tmp_path, printed)))["names"] == ["by-plugin"]


def test_somebody_may_want_to_be_taken_for_another(server: Server, tmp_path: Path) -> None:
    """A user with groups to be impersonated is sent as such, every group in a field of its own."""
    user = {"token": "t", "as": "other", "as-groups": ["g", "h"], "as-user-extra": {"a/b": ["c"]}}
    assert who(kubeconfig(tmp_path, server.cluster(), user))["for"] == [
        ["impersonate-user", "other"],
        ["impersonate-group", "g"],
        ["impersonate-group", "h"],
        ["impersonate-extra-a%2fb", "c"],
    ]


def test_the_name_of_the_servers_certificate_may_be_another(tmp_path: Path) -> None:
    """A certificate for tls-server-name is what is trusted, and without that name it is not."""
    server = Server(tmp_path / "server", "api.internal")
    try:
        named = server.cluster(**{"tls-server-name": "api.internal"})
        assert who(kubeconfig(tmp_path, named, {"token": "t"}))["authorization"] == "Bearer t"
        with pytest.raises(login.httpx2.ConnectError):
            who(kubeconfig(tmp_path, server.cluster(), {"token": "t"}))
    finally:
        server.http.shutdown()
        server.http.server_close()


def test_an_unknown_authority_is_not_trusted_unless_that_is_wanted(server: Server, tmp_path: Path) -> None:
    """Without the cluster's CA there is no connection, but where the file says that it does not matter."""
    bare = {"server": server.cluster()["server"]}
    with pytest.raises(login.httpx2.ConnectError):
        who(kubeconfig(tmp_path, bare, {"token": "t"}))
    careless = bare | {"insecure-skip-tls-verify": True}
    assert who(kubeconfig(tmp_path, careless, {"token": "t"}))["authorization"] == "Bearer t"


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({"auth-provider": {"name": "gcp"}}, "auth-provider"),
        (
            {"exec": {"apiVersion": "client.authentication.k8s.io/v1alpha1", "command": "x"}},
            "exec.apiVersion",
        ),
        ({"client-certificate-data": "?", "client-key-data": "?"}, "cannot be used"),
        ({"client-certificate": "gone", "client-key": "gone"}, "gone"),
        (
            {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/no/such/program"}},
            "/no/such",
        ),
        ({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "false"}}, "false"),
        ({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "true"}}, "ExecCredential"),
    ],
)
def test_what_cannot_be_used_is_named(
    server: Server, tmp_path: Path, user: dict[str, Any], words: str
) -> None:
    """A user who cannot be is refused at once, with the file, the context and the reason."""
    file = kubeconfig(tmp_path, server.cluster(), user)
    with pytest.raises(login.BadKubeconfig, match="context one: cannot be used") as caught:
        who(file)
    assert words in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_context_that_is_not_there_is_named_with_those_that_are(server: Server, tmp_path: Path) -> None:
    """The message lists the contexts."""
    file = kubeconfig(tmp_path, server.cluster(), {})
    with pytest.raises(login.BadKubeconfig, match="context two: must be one of one"):
        login.read(file, "two")


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    """A path without a file is one clear message."""
    with pytest.raises(login.BadKubeconfig, match="No such file"):
        login.read(tmp_path / "gone")


@given(
    st.binary(max_size=60) | st.sampled_from([b"", b"a", b"[]", b"{}", b"clusters: [1]", b"contexts: {a: b}"])
)
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Whatever stands in the file, it is a kubeconfig or BadKubeconfig."""
    file = tmp_path_factory.mktemp("config") / "config"
    file.write_bytes(data)
    with pytest.raises(login.BadKubeconfig):
        login.read(file)
