"""Bearer and basic authentication: what is sent to whom, how often, and for whom it is kept."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm import errors
from autowasm.net import failures, session
from autowasm.oci import artifact
from autowasm.oci.reference import Reference
from autowasm.registry import auth, download, upload
from autowasm.registry.credentials import BEARER, IDENTITY, Credentials
from autowasm.registry.exchange import Exchange
from tests.unit.net import tiny_server, tls
from tests.unit.net.tiny_server import Answer
from tests.unit.registry import stored

MADE = artifact.image(stored.MODULE)
BOB = Credentials("bob", "pw")
EVE = Credentials("eve", "pw")
BASIC_BOB = "Basic " + base64.b64encode(b"bob:pw").decode()


class Guarded:
    """A registry that wants a bearer token of a token server beside it; tokens name user and scope."""

    def __init__(self, registry: tiny_server.Server, tokens: tiny_server.Server) -> None:
        self.registry = registry
        self.tokens = tokens
        self.generation = 1
        stored.store(registry, MADE)
        registry.routes = {key: self._guard(answer) for key, answer in registry.routes.items()}
        tokens.routes["GET", "/token"] = self._grant

    def _guard(self, answer):
        realm = f'Bearer realm="{self.tokens.url}/token",service="reg",scope="repository:team/app:pull"'

        def check(seen):
            accepted = seen.headers.get("authorization", "").startswith(f"Bearer {self.generation}-")
            return answer if accepted else Answer(401, headers={"WWW-Authenticate": realm})

        return check

    def _grant(self, seen):
        if seen.headers.get("authorization") not in (None, BASIC_BOB):
            return Answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"who is that"}]}')
        return Answer(200, json.dumps({"token": f"{self.generation}-abc", "expires_in": 60}).encode())


@pytest.fixture
def guarded():
    """A guarded registry and its token server."""
    with tiny_server.serving() as registry, tiny_server.serving() as tokens:
        yield Guarded(registry, tokens)


@pytest.mark.parametrize("credentials", [None, BOB])
def test_token(guarded, credentials):
    """A token is asked for once, with service and scope, as the caller or anonymously, and then used."""
    ref = stored.reference(guarded.registry)
    pulled = stored.run(lambda registry: registry.pull(ref, credentials))
    assert pulled.module == stored.MODULE
    (asked,) = guarded.tokens.seen
    query = parse_qs(urlsplit(asked.path).query)
    assert query == {"service": ["reg"], "scope": ["repository:team/app:pull"]}
    assert asked.headers.get("authorization") == (BASIC_BOB if credentials else None)
    sent = [seen.headers.get("authorization") for seen in guarded.registry.seen]
    assert sent == [None, "Bearer 1-abc", "Bearer 1-abc"]


def test_token_expires(guarded):
    """A token that is no longer accepted is replaced by a new one, in the middle of a pull too."""
    ref = stored.reference(guarded.registry)

    async def use(registry):
        await registry.resolve(ref, BOB)
        guarded.generation = 2
        return await registry.pull(ref, BOB)

    assert stored.run(use).module == stored.MODULE
    assert len(guarded.tokens.seen) == 2


@pytest.mark.parametrize(
    ("life", "asked"), [(1e-9, 2), (3600, 1), (None, 1), (0, 1), ("soon", 1), (1e300, 1)]
)
def test_life_of_a_token(guarded, life, asked):
    """A token is not used beyond the life that its server gave it; one of no known life has the standard's minute."""
    grant = json.dumps({"token": "1-abc", "expires_in": life}).encode()
    guarded.tokens.routes["GET", "/token"] = Answer(200, grant)
    ref = stored.reference(guarded.registry)
    assert stored.run(lambda registry: registry.pull(ref, BOB)).module == stored.MODULE
    assert len(guarded.tokens.seen) == asked
    refused = [seen for seen in guarded.registry.seen if "authorization" not in seen.headers]
    assert len(refused) == asked


def test_tokens_are_asked_for_once(guarded):
    """Requests that are refused at the same time have one of them get the token, also when it has run out."""
    ref = stored.reference(guarded.registry)

    async def use(registry):
        await asyncio.gather(*(registry.resolve(ref, BOB) for _ in range(8)))
        guarded.generation = 2
        await asyncio.gather(*(registry.resolve(ref, BOB) for _ in range(8)))

    stored.run(use)
    assert len(guarded.tokens.seen) == 2


TOKEN = Credentials(IDENTITY, "long-lived")


def test_identity_token(guarded):
    """An identity token is changed for an access token by a form (OAuth 2), and goes nowhere else."""
    guarded.tokens.routes["POST", "/token"] = Answer(200, b'{"access_token": "1-abc", "expires_in": 60}')
    ref = stored.reference(guarded.registry)
    assert stored.run(lambda registry: registry.pull(ref, TOKEN)).module == stored.MODULE
    (asked,) = guarded.tokens.seen
    assert (asked.method, "authorization" in asked.headers) == ("POST", False)
    assert parse_qs(asked.body.decode()) == {
        "grant_type": ["refresh_token"],
        "client_id": ["autowasm"],
        "refresh_token": ["long-lived"],
        "service": ["reg"],
        "scope": ["repository:team/app:pull"],
    }
    sent = str([(seen.path, seen.headers, seen.body) for seen in guarded.registry.seen])
    assert "long-lived" not in sent


def test_registry_token(guarded):
    """A token for the registry is shown to it as it is, and no token server is asked."""
    ref, bearer = stored.reference(guarded.registry), Credentials(BEARER, "1-abc")
    assert stored.run(lambda registry: registry.pull(ref, bearer)).module == stored.MODULE
    assert guarded.tokens.seen == []
    shown = {seen.headers.get("authorization") for seen in guarded.registry.seen}
    assert shown == {None, "Bearer 1-abc"}


@pytest.mark.parametrize("challenge", [None, 'Basic realm="x"'])
def test_registry_token_refused(guarded, challenge):
    """A token that the registry does not take is shown once, and only as what it is; the refusal says what it was."""
    if challenge:
        guarded.registry.routes["GET", f"{stored.BASE}/manifests/v1"] = Answer(
            401, headers={"WWW-Authenticate": challenge}
        )
    ref = stored.reference(guarded.registry)
    with pytest.raises(errors.Final) as caught:
        stored.run(lambda registry: registry.pull(ref, Credentials(BEARER, "wrong")))
    assert (caught.value.reason, guarded.tokens.seen) == ("Unauthorized", [])
    assert "with a registry token" in caught.value.message
    shown = [seen.headers.get("authorization") for seen in guarded.registry.seen]
    assert shown == ([None] if challenge else [None, "Bearer wrong"])


def test_identity_token_refused(guarded):
    """A refusal of an identity token says that it was one."""
    guarded.tokens.routes["POST", "/token"] = Answer(401)
    ref = stored.reference(guarded.registry)
    with pytest.raises(errors.Final) as caught:
        stored.run(lambda registry: registry.pull(ref, TOKEN))
    assert "with an identity token" in caught.value.message


def test_identity_token_is_no_password(guarded):
    """A registry that asks for a password does not get an identity token."""
    guarded.registry.routes["GET", f"{stored.BASE}/manifests/v1"] = Answer(
        401, headers={"WWW-Authenticate": 'Basic realm="x"'}
    )
    ref = stored.reference(guarded.registry)
    with pytest.raises(errors.Final) as caught:
        stored.run(lambda registry: registry.pull(ref, TOKEN))
    assert caught.value.reason == "Unauthorized"
    assert [seen.headers.get("authorization") for seen in guarded.registry.seen] == [None]


@pytest.mark.parametrize("after", [1, 0])
def test_busy_token_server(guarded, after):
    """A token server that is busy or fails is waited for, as long as it says."""
    sound = guarded.tokens.routes["GET", "/token"]
    busy = iter([Answer(429, headers={"Retry-After": str(after)}), Answer(503)])

    def token(seen):
        return next(busy, None) or sound(seen)

    guarded.tokens.routes["GET", "/token"] = token
    ref = stored.reference(guarded.registry)
    assert stored.run(lambda registry: registry.pull(ref, BOB)).module == stored.MODULE
    assert len(guarded.tokens.seen) == 3


def test_token_ends_in_the_middle(guarded):
    """A token that ends between two parts of a layer is replaced, and the layer goes on."""
    noise = b"\0asm\1\0\0\0" + random.Random(2).randbytes(3 << 20)
    made = artifact.binary(noise)
    stored.store(guarded.registry, made, "big")
    layer = next(blob for blob in made.blobs if blob.data == noise)
    path = f"{stored.BASE}/blobs/{layer.digest}"

    def part(seen):
        at = int(seen.headers.get("range", "bytes=0-")[6:].partition("-")[0])
        guarded.generation += 1  # no token that was given out so far is accepted any more
        where = {"Content-Range": f"bytes {at}-{len(noise) - 1}/{len(noise)}"}
        return Answer(206 if at else 200, noise[at:], where, cut=(1 << 20) + 5)

    def guard(seen):
        checked = guarded._guard(None)(seen)
        return checked if checked is not None else part(seen)

    guarded.registry.routes["GET", path] = guard
    ref = stored.reference(guarded.registry, ":big")
    assert stored.run(lambda registry: registry.pull(ref, BOB)).module == noise
    assert len(guarded.tokens.seen) == 3  # one a part


def test_tokens_are_not_shared(guarded):
    """What one caller's credentials bought does not serve a caller with others, or with none."""
    ref = stored.reference(guarded.registry)

    async def use(registry):
        await registry.resolve(ref, BOB)
        with pytest.raises(errors.Final) as caught:
            await registry.resolve(ref, EVE)
        return caught.value

    error = stored.run(use)
    assert error.reason == "Unauthorized"
    assert "as user 'eve'" in error.message
    assert "UNAUTHORIZED: who is that" in error.message
    assert "pw" not in str(error)


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (Answer(500), errors.Retry, "RegistryFault"),
        (Answer(403), errors.Final, "Forbidden"),
        (Answer(200, b"no json"), errors.Final, "Unauthorized"),
        (Answer(200, b"{}"), errors.Final, "Unauthorized"),
        (Answer(200, b'{"token": 5}'), errors.Final, "Unauthorized"),
        (Answer(200, b'{"token": "a\\r\\nX: y"}'), errors.Final, "Unauthorized"),
        (Answer(200, b" " * 2_000_000), errors.Final, "TooLarge"),
    ],
)
def test_broken_token_server(guarded, answer, kind, reason):
    """A token server that fails or talks nonsense ends the request with an error that says so."""
    guarded.tokens.routes["GET", "/token"] = answer
    ref = stored.reference(guarded.registry)
    with pytest.raises(kind) as caught:
        stored.run(lambda registry: registry.pull(ref, BOB))
    assert caught.value.reason == reason


def test_token_without_effect(guarded):
    """A token that the registry does not take either is not asked for again and again."""
    guarded.tokens.routes["GET", "/token"] = Answer(200, b'{"access_token": "other"}')
    ref = stored.reference(guarded.registry)
    with pytest.raises(errors.Final) as caught:
        stored.run(lambda registry: registry.resolve(ref, BOB))
    assert caught.value.reason == "Unauthorized"
    assert len(guarded.tokens.seen) == 1


@pytest.mark.parametrize("realm", ["", "nonsense", "http://[", "ftp://x/y", "http://127.0.0.1:1/token"])
def test_realm_that_is_none(guarded, realm):
    """A realm that cannot be asked is an error, of whatever kind it is no URL."""
    challenge = Answer(401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'})
    guarded.registry.routes["HEAD", f"{stored.BASE}/manifests/v1"] = challenge
    ref = stored.reference(guarded.registry)
    with pytest.raises(errors.Error) as caught:
        stored.run(lambda registry: registry.resolve(ref, BOB))
    assert caught.value.side == "registry"


def test_basic():
    """Basic credentials are sent once they are asked for, and from then on at once."""
    with tiny_server.serving() as server:
        stored.store(server, MADE)
        challenge = Answer(401, headers={"WWW-Authenticate": 'Basic realm="x"'})

        def guard(answer):
            return lambda seen: answer if seen.headers.get("authorization") == BASIC_BOB else challenge

        server.routes = {key: guard(answer) for key, answer in server.routes.items()}
        pulled = stored.run(lambda registry: registry.pull(stored.reference(server), BOB))
        assert pulled.module == stored.MODULE
        sent = [seen.headers.get("authorization") for seen in server.seen]
        assert sent == [None, BASIC_BOB, BASIC_BOB]


@pytest.fixture
def outside(tmp_path):
    """A registry over TLS at a name that is none of this host's, and the file of its authority."""
    identity = tls.identity(tmp_path)
    with tiny_server.serving(identity.context) as server:
        yield server, identity.authority


def _secure(server: tiny_server.Server) -> auth.Access:
    return auth.Access(stored.reference(server), BOB, "https")


def test_credentials_stay_on_tls(outside):
    """A registry over TLS that names a token server without TLS gets no credentials sent there."""
    server, authority = outside
    with tiny_server.serving() as tokens:
        tokens.routes["GET", "/token"] = Answer(200, b'{"token": "abc"}')
        challenge = Answer(401, headers={"WWW-Authenticate": f'Bearer realm="{tokens.url}/token"'})
        server.routes["HEAD", f"{stored.BASE}/manifests/v1"] = challenge

        async def main() -> None:
            async with session.client(timeout=5, ca_file=authority) as http:
                await download.resolve(Exchange(http), _secure(server))

        with pytest.raises(errors.Final) as caught:
            asyncio.run(main())
        assert "must be asked over https" in caught.value.message
        assert tokens.seen == []


def test_uploads_stay_on_tls(outside):
    """A registry over TLS that names its own upload without TLS is uploaded to over TLS."""
    server, authority = outside
    blob = MADE.blobs[0]
    plain = server.url.replace("https://", "http://")
    server.routes["POST", f"{stored.BASE}/blobs/uploads/"] = Answer(202, headers={"Location": f"{plain}/up"})
    server.routes["PUT", "/up"] = Answer(201)

    async def main() -> None:
        async with session.client(timeout=5, ca_file=authority) as http:
            await upload.send_blob(Exchange(http), _secure(server), upload.Sending(blob))

    asyncio.run(main())
    assert [seen.body for seen in server.asked("PUT", "/up")] == [blob.data]


@pytest.fixture
def stranger(monkeypatch):
    """A registry at a name that is none of this host's, played by a proxy."""
    with tiny_server.serving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        for name in ("http_proxy", "NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield proxy


FAR = auth.Access(Reference.parse("registry.example/team/app:v1"), BOB, "http", push=True)


async def _begin_upload(exchange: Exchange) -> None:
    await upload.send_blob(exchange, FAR, upload.Sending(MADE.blobs[0]))


async def _resolve(exchange: Exchange) -> None:
    await download.resolve(exchange, FAR)


def test_strangers_lead_nobody_here(stranger):
    """A registry elsewhere leads to nothing on this host: by no realm, no redirect, and no place to upload to."""
    far = f"http://{FAR.reference.registry}{stored.BASE}"
    with tiny_server.serving() as victim:
        realm = {"WWW-Authenticate": f'Bearer realm="{victim.url}/token"'}
        here = {"Location": f"{victim.url}/here"}
        for step, method, path, answer in (
            (_resolve, "HEAD", "/manifests/v1", Answer(401, headers=realm)),
            (_resolve, "HEAD", "/manifests/v1", Answer(307, headers=here)),
            (_begin_upload, "POST", "/blobs/uploads/", Answer(202, headers=here)),
        ):
            stranger.routes[method, f"{far}{path}"] = answer

            async def main(step=step) -> None:
                async with session.client(timeout=5) as http:
                    await step(Exchange(http))

            with pytest.raises(errors.Final) as caught:
                asyncio.run(main())
            assert caught.value.reason == "Refused"
            assert "127.0.0.1 is this host, which registry.example must not lead to" in caught.value.message
        assert victim.seen == []


_VALUES = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9)
_GRANTS = st.dictionaries(st.sampled_from(["token", "access_token", "expires_in"]), _VALUES)


@given(
    st.binary(max_size=40)
    | st.one_of(_GRANTS, st.lists(_VALUES), _VALUES).map(lambda x: json.dumps(x).encode())
)
def test_token_fuzz(data):
    """Any answer of a token server is a token that fits into a header and lives for a while, or an error of ours."""
    with contextlib.suppress(errors.Final):
        answer = auth.read_token(data, failures.Ask("registry", "GET", "https://r.io/token"))
        assert answer.value.isprintable()
        assert 0 < answer.seconds < 1e9


_LABELS = st.text("aZ0-", min_size=1, max_size=70)
_REST = st.sampled_from(["/a", "/a:b", "/a/b__c@sha256:" + "0" * 64])


@given(st.lists(_LABELS, min_size=1, max_size=3).map(".".join), st.sampled_from(["", ":1", ":65535"]), _REST)
def test_every_reference_has_a_url(host, port, rest):
    """Whatever parses as a reference can be asked for, its registry being the host of the URL."""
    try:
        ref = Reference.parse(f"{host}.x{port}{rest}")
    except errors.Usage:
        return
    url = auth.Access(ref, None, "https").api
    assert url.host == ref.registry.partition(":")[0].lower()
    assert url.path == f"/v2/{ref.repository}"
