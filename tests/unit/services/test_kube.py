"""The client of the Kubernetes API, against a small HTTPS server that answers as an API server does."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from harness.mesh import Broken, ObjectRef, Refused
from harness.services import kube, kubeconfig, login
from harness.services.kube import Api
from harness.services.pki import Authority

RESOURCES = {
    "resources": [
        {"name": "widgets", "kind": "Widget", "namespaced": True},
        {"name": "widgets/status", "kind": "Widget", "namespaced": True},
        {"name": "worlds", "kind": "World", "namespaced": False},
    ]
}
WIDGET = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "n"}}


class Server:
    """Answers each request with the next of ``answers``, the last for ever; remembers what was asked."""

    def __init__(self, folder: Path) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.asked: list[str] = []
        authority = Authority(folder)
        pair = authority.server("server", ["127.0.0.1"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                path = self.path.partition("?")[0]
                if path == "/apis/example.com/v1":
                    status, body = 200, RESOURCES
                else:
                    outer.asked.append(f"{self.command} {path}")
                    status, body = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PATCH = do_DELETE = do_POST = answer  # noqa: N815

            def log_message(self, *_args: Any) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.http.server_port}"
        self.api = Api(login.with_certificate(self.url, authority.ca, authority.client("admin")))
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """End it."""
        self.api.close()
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server and a client of it."""
    one = Server(tmp_path)
    yield one
    one.close()


def test_paths_come_from_discovery(server: Server) -> None:
    """Plural names and namespaces are the API server's, not guesses; subresources are no kinds."""
    world = ObjectRef("example.com/v1", "World", "ignored", "w")
    assert server.api.path(kube.ref(WIDGET)) == "/apis/example.com/v1/namespaces/n/widgets/w"
    assert server.api.path(world) == "/apis/example.com/v1/worlds/w"


def test_a_young_server_is_asked_again(server: Server) -> None:
    """429 and 503, which an API server gives while it starts, are waited out."""
    server.answers = [(429, {}), (503, {}), (200, WIDGET)]
    assert server.api.apply(WIDGET) == WIDGET
    assert server.asked == ["PATCH /apis/example.com/v1/namespaces/n/widgets/w"] * 3


def test_no_is_told_in_the_server_s_words(server: Server) -> None:
    """What the API server refuses is Refused with its message."""
    server.answers = [(422, {"kind": "Status", "message": "spec.size: must be small"})]
    with pytest.raises(Refused, match=r"^spec.size: must be small$"):
        server.api.apply(WIDGET)


def test_an_unknown_kind_is_refused_by_name(server: Server) -> None:
    """A kind that discovery does not list is named."""
    with pytest.raises(Refused, match=r"example\.com/v1 Ghost: must be a kind"):
        server.api.get(ObjectRef("example.com/v1", "Ghost", "n", "g"))
    assert not server.api.serves("example.com/v1", "Ghost")


def test_deleting_waits_until_the_object_is_gone(server: Server) -> None:
    """Delete returns once reading it finds nothing, and False where it found nothing from the start."""
    server.answers = [(200, {}), (200, WIDGET), (200, WIDGET), (404, {})]
    assert server.api.delete(kube.ref(WIDGET)) is True
    assert [line.split()[0] for line in server.asked] == ["DELETE", "GET", "GET", "GET"]
    assert server.api.delete(kube.ref(WIDGET)) is False


def test_an_object_that_a_finalizer_holds_is_told(server: Server) -> None:
    """An object that stays is not waited for for ever, and what holds it is in the message."""
    held = {**WIDGET, "metadata": {"finalizers": ["example.com/hold"]}}
    server.answers = [(200, {}), (200, held)]
    with pytest.raises(Refused, match=r"example\.com/hold"):
        server.api.delete(kube.ref(WIDGET), timeout=0.05)


def test_a_server_that_is_not_there_is_broken(tmp_path: Path) -> None:
    """No answer at all is Broken, and ``answers`` says so without raising."""
    authority = Authority(tmp_path)
    api = Api(login.with_certificate("https://127.0.0.1:1", authority.ca, authority.client("admin")))
    assert not api.answers()
    with pytest.raises(Broken, match=r"kube-apiserver: must answer GET /apis/example\.com/v1"):
        api.get(kube.ref(WIDGET))
    api.close()


def test_kubeconfigs_are_whole_and_private(tmp_path: Path) -> None:
    """A kubeconfig carries its keys or its token in itself, and only its owner can read it."""
    authority = Authority(tmp_path / "keys")
    by_key = kubeconfig.with_certificate(
        tmp_path / "a" / "one", "https://h:1", authority.ca, authority.client("admin")
    )
    by_token = kubeconfig.with_token(tmp_path / "two", "https://h:2", authority.ca, "secret")
    assert {path.stat().st_mode & 0o777 for path in (by_key, by_token)} == {0o600}
    one, two = json.loads(by_key.read_text()), json.loads(by_token.read_text())
    assert set(one["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}
    assert two["users"][0]["user"] == {"token": "secret"}
    assert [config["clusters"][0]["cluster"]["server"] for config in (one, two)] == [
        "https://h:1",
        "https://h:2",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "keys", "two"]


def test_a_server_that_is_known_to_be_away_is_asked_again(server: Server) -> None:
    """An error of a server that lost its etcd, and none at all, are no answer while trouble is known; else they are."""
    target = kube.ref(WIDGET)
    server.answers = [(500, {"message": "etcdserver: leader changed"})]
    with pytest.raises(Refused, match="leader changed"):
        server.api.get(target)
    server.api.troubled = lambda: True
    server.answers = [(500, {"message": "etcdserver: leader changed"}), (504, {}), (200, WIDGET)]
    assert server.api.get(target) == WIDGET


def test_a_server_that_does_not_answer_is_waited_for_in_trouble_only() -> None:
    """A closed port is tried for as long as trouble is known, and Broken without."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    tries = iter([True] * 3)
    with httpx2.Client(base_url=url, trust_env=False) as http:
        api = Api(http)
        api.troubled = lambda: next(tries, False)
        with pytest.raises(Broken, match="must answer GET /version"):
            api.ask("GET", "/version")
    assert next(tries, None) is None
