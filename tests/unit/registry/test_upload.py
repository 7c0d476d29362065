"""Pushing to a server that sends elsewhere, forgets and lies."""

from __future__ import annotations

import pytest

from autowasm import errors
from autowasm.digest import Digest
from autowasm.oci import artifact
from autowasm.registry.credentials import Credentials
from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer
from tests.unit.registry import stored

MADE = artifact.image(stored.MODULE)
BOB = Credentials("bob", "pw")
UPLOADS = f"{stored.BASE}/blobs/uploads/"
TAG = f"{stored.BASE}/manifests/v1"


@pytest.fixture
def server():
    """A server that takes blobs at /up and the manifest; it has none of the blobs."""
    with tiny_server.serving() as running:
        running.routes["POST", UPLOADS] = Answer(202, headers={"Location": "/up?state=a%3D%3D"})
        running.routes["PUT", "/up"] = Answer(201)
        running.routes["PUT", TAG] = Answer(201, headers={"Docker-Content-Digest": str(MADE.digest)})
        yield running


def _push(server, credentials=None) -> Digest:
    ref = stored.reference(server)
    return stored.run(lambda registry: registry.push(ref, stored.MODULE, credentials))


def _refused(server) -> errors.Error:
    with pytest.raises(errors.Error) as caught:
        _push(server)
    assert caught.value.side == "registry"
    return caught.value


def test_what_is_sent(server):
    """Each blob goes whole to where the registry says, its query kept, and the manifest comes last."""
    assert _push(server) == MADE.digest
    sent = [seen for seen in server.seen if seen.method == "PUT"]
    assert [seen.body for seen in sent] == [*(blob.data for blob in MADE.blobs), MADE.manifest]
    expected = [f"/up?state=a%3D%3D&digest=sha256%3A{blob.digest.hex}" for blob in MADE.blobs]
    assert [seen.path for seen in sent[:2]] == expected
    assert sent[-1].headers["content-type"] == MADE.media_type


def test_location_elsewhere_gets_no_credentials(server):
    """Where the registry lets upload on another host, the bytes go there and the credentials do not."""
    challenge = Answer(401, headers={"WWW-Authenticate": 'Basic realm="x"'})

    def guard(answer):
        return lambda seen: answer if "authorization" in seen.headers else challenge

    server.routes = {key: guard(answer) for key, answer in server.routes.items()}
    with tiny_server.serving() as storage:
        server.routes["POST", UPLOADS] = guard(Answer(202, headers={"Location": f"{storage.url}/up"}))
        storage.routes["PUT", "/up"] = Answer(201)
        assert _push(server, BOB) == MADE.digest
        assert [seen.body for seen in storage.seen] == [blob.data for blob in MADE.blobs]
        assert all("authorization" not in seen.headers for seen in storage.seen)


def test_forgotten_upload_begins_anew(server):
    """An upload that the registry has forgotten is begun once more."""
    server.routes["PUT", "/up"] = [Answer(404), Answer(201)]
    assert _push(server) == MADE.digest
    assert len(server.asked("POST", UPLOADS)) == 3


def test_answer_that_was_lost(server):
    """A blob whose upload succeeded without an answer is not sent again."""
    first = f"{stored.BASE}/blobs/{MADE.blobs[0].digest}"
    server.routes["HEAD", first] = [Answer(404), Answer(200)]
    server.routes["PUT", "/up"] = [Answer(cut=-1), Answer(201)]
    assert _push(server) == MADE.digest
    assert len(server.asked("PUT", "/up")) == 2


def test_digest_that_is_not_said(server):
    """A registry that does not say what it stored is asked."""
    server.routes["PUT", TAG] = Answer(201)
    server.routes["HEAD", TAG] = Answer(200, headers={"Docker-Content-Digest": str(MADE.digest)})
    assert _push(server) == MADE.digest
    server.routes["HEAD", TAG] = Answer(200, headers={"Docker-Content-Digest": str(Digest.of(b""))})
    assert _refused(server).reason == "DigestMismatch"


@pytest.mark.parametrize(
    ("route", "answer", "kind", "reason"),
    [
        (("POST", UPLOADS), Answer(202), errors.Final, "RegistryFault"),
        (("POST", UPLOADS), Answer(202, headers={"Location": "http://x:y"}), errors.Final, "Unreachable"),
        (("POST", UPLOADS), Answer(202, headers={"Location": "ftp://x/"}), errors.Final, "Unreachable"),
        (("POST", UPLOADS), Answer(307, headers={"Location": "/elsewhere"}), errors.Final, "Refused"),
        (("POST", UPLOADS), Answer(405), errors.Final, "Refused"),
        (("POST", UPLOADS), Answer(403), errors.Final, "Forbidden"),
        (("PUT", "/up"), Answer(413), errors.Final, "TooLarge"),
        (("PUT", "/up"), Answer(500), errors.Retry, "RegistryFault"),
        (("PUT", "/up"), Answer(404), errors.Retry, "RegistryFault"),
        (("PUT", TAG), Answer(400), errors.Final, "Refused"),
        (
            ("PUT", TAG),
            Answer(201, headers={"Docker-Content-Digest": str(Digest.of(b""))}),
            errors.Final,
            "DigestMismatch",
        ),
    ],
)
def test_refused(server, route, answer, kind, reason):
    """What the registry will not take ends the push under its reason."""
    server.routes[route] = answer
    error = _refused(server)
    assert (type(error), error.reason) == (kind, reason)
