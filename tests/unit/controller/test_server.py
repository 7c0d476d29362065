"""Who gets which answer at the controller's port."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from autowasm import errors, limits
from autowasm.controller import server
from autowasm.controller.metrics import Metrics
from autowasm.digest import Digest

WASMER = "system:serviceaccount:istio-system:wasmer"
TOKENS = {"good": WASMER, "other": "system:serviceaccount:default:someone"}
HERE, WANTED, UNKNOWN = (Digest.of(name) for name in (b"here", b"wanted", b"unknown"))


class Cluster:
    """Answers token reviews and counts them; its API server may be away."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False

    async def user_of(self, token: str) -> str | None:
        """The user of a token."""
        self.asked += 1
        if self.away:
            raise errors.Retry("review of a token: no answer", side="cluster", reason="Unreachable")
        return TOKENS.get(token)


class Site:
    """The application over a store of one module, at a clock that is set by hand."""

    def __init__(self) -> None:
        self.cluster = Cluster()
        self.time = 0.0
        self.synced = self.ready = True
        self.fetched: list[Digest] = []
        self.heard: list[bytes] = []
        self.metrics = Metrics()
        guard = server.Guard(self.cluster.user_of, WASMER, clock=lambda: self.time)
        backing = server.Backing(
            self._read, self._lost, lambda: self.synced, lambda: self.synced and self.ready, self._told
        )
        self.app = server.app(guard, backing, self.metrics)

    async def _read(self, digest: Digest) -> bytes | None:
        return b"here" if digest == HERE else None

    def _lost(self, digest: Digest) -> bool:
        self.fetched.append(digest)
        return digest == WANTED

    async def _told(self, body: bytes) -> int:
        if body == b"nonsense":
            raise ValueError("fetches: must be as the contract has them")
        self.heard.append(body)
        return 7

    def tell(self, body: bytes, authorization: str = "Bearer good") -> httpx2.Response:
        """Tell of fetches."""
        return self.get("/fetches", authorization, "POST", body)

    def get(
        self, path: str, authorization: str = "", method: str = "GET", body: bytes = b""
    ) -> httpx2.Response:
        """One request."""

        async def scene() -> httpx2.Response:
            transport = httpx2.ASGITransport(self.app)
            headers = {"Authorization": authorization} if authorization else {}
            async with httpx2.AsyncClient(transport=transport, base_url="http://controller") as client:
                return await client.request(method, path, headers=headers, content=body)

        return asyncio.run(scene())

    def blob(self, digest: Digest, token: str = "good") -> httpx2.Response:
        """Fetch a module."""
        return self.get(f"/blobs/{digest.hex}", f"Bearer {token}")


@pytest.fixture
def site():
    """A fresh one."""
    return Site()


def test_wasmer_gets_the_bytes(site):
    """The right token gets the module, whole and of known length."""
    answer = site.blob(HERE)
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"here", "4")
    assert answer.headers["content-type"] == "application/wasm"
    assert answer.headers["etag"] == f'"{HERE.hex}"'


def test_head_says_the_same_without_a_body(site):
    """HEAD answers as GET does, without the bytes."""
    answer = site.get(f"/blobs/{HERE.hex}", "Bearer good", "HEAD")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "4")


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        ("Basic good", 401),
        ("Bearer unknown", 401),
        ("Bearer other", 403),
        ("bearer good", 200),
    ],
)
def test_who_is_let_in(site, authorization, status):
    """No valid token is 401 with a challenge, another user's is 403, whatever is asked for."""
    for digest in (HERE, UNKNOWN) if status != 200 else (HERE,):
        answer = site.get(f"/blobs/{digest.hex}", authorization)
        assert answer.status_code == status
        assert ("www-authenticate" in answer.headers) == (status == 401)


def test_a_token_is_believed_for_a_minute(site):
    """The API server is asked once a minute about a good token, and each time about a bad one."""
    for _ in range(3):
        assert site.blob(HERE).status_code == 200
    assert site.cluster.asked == 1
    site.time = 60.0
    assert site.blob(HERE).status_code == 200
    assert site.cluster.asked == 2
    for _ in range(2):
        site.blob(HERE, "unknown")
    assert site.cluster.asked == 4


def test_an_api_server_that_is_away(site):
    """Where nobody can judge the caller the answer is 503, never the module."""
    site.cluster.away = True
    answer = site.blob(HERE)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert b"here" not in answer.content


def test_what_is_wanted_is_never_404(site):
    """A module of the mesh that is not in the store is fetched again and 503 until then; another is 404."""
    assert site.blob(WANTED).status_code == 503
    assert site.blob(UNKNOWN).status_code == 404
    assert site.fetched == [WANTED, UNKNOWN]


def test_nothing_is_unknown_before_the_cluster_is_known(site):
    """While the watches are not synced nobody knows what is wanted: 503."""
    site.synced = False
    assert site.blob(UNKNOWN).status_code == 503
    assert site.get("/readyz").status_code == 503
    assert site.get("/healthz").status_code == 200


def test_not_ready_yet_but_knowing(site):
    """While modules are still looked for it is not ready, but knows that a module is in no AutoWasm."""
    site.ready = False
    assert site.get("/readyz").status_code == 503
    assert site.blob(UNKNOWN).status_code == 404


def test_a_malformed_digest(site):
    """What is no digest is 400, and says so to callers that may ask."""
    assert site.get("/blobs/short", "Bearer good").status_code == 400
    assert site.get("/blobs/short").status_code == 401


def test_answers_are_counted(site):
    """Every answer to a wasmer is in the metrics by its status."""
    site.blob(HERE)
    site.blob(UNKNOWN)
    site.metrics.watch(lambda: 0, lambda: True, dict)
    page = site.get("/metrics").text
    assert 'autowasm_controller_blobs_total{status="200"} 1.0' in page
    assert 'autowasm_controller_blobs_total{status="404"} 1.0' in page


def test_what_a_wasmer_tells_is_taken_and_answered(site):
    """Wasmer's own words reach who takes them, and it is told how far they are known."""
    answer = site.tell(b"some")
    assert (answer.status_code, answer.json(), site.heard) == (200, {"have": 7}, [b"some"])


@pytest.mark.parametrize(
    ("body", "authorization", "status"),
    [
        (b"some", "", 401),
        (b"some", "Bearer other", 403),
        (b"nonsense", "Bearer good", 400),
        (b"x" * (limits.FETCHES_BODY_BYTES + 1), "Bearer good", 413),
    ],
)
def test_what_is_not_taken(site, body, authorization, status):
    """Strangers, what is not of the contract, and too much of it are refused, and nothing is taken."""
    assert site.tell(body, authorization).status_code == status
    assert site.heard == []
