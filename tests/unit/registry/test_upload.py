"""Pushing to a server that sends elsewhere, forgets, cuts off and lies."""

from __future__ import annotations

import pytest

from autowasm import errors
from autowasm.digest import Digest
from autowasm.oci import artifact
from autowasm.registry import upload
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
    assert sent[-1].body == MADE.manifest
    expected = {f"/up?state=a%3D%3D&digest=sha256%3A{blob.digest.hex}": blob.data for blob in MADE.blobs}
    assert {seen.path: seen.body for seen in sent[:-1]} == expected
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
        assert {seen.body for seen in storage.seen} == {blob.data for blob in MADE.blobs}
        assert all("authorization" not in seen.headers for seen in storage.seen)


def test_forgotten_upload_begins_anew(server):
    """An upload that the registry has forgotten is begun once more."""
    server.routes["PUT", "/up"] = [Answer(404), Answer(201)]
    assert _push(server) == MADE.digest
    assert len(server.asked("POST", UPLOADS)) == 3


def test_answer_that_was_lost(server):
    """A blob whose upload succeeded without an answer is not sent again."""
    first, second = (f"{stored.BASE}/blobs/{blob.digest}" for blob in MADE.blobs)
    server.routes["HEAD", first] = [Answer(404), Answer(200)]
    server.routes["HEAD", second] = Answer(200)
    server.routes["PUT", "/up"] = Answer(cut=-1)
    assert _push(server) == MADE.digest
    assert len(server.asked("PUT", "/up")) == 1


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
        (("POST", UPLOADS), Answer(202, headers={"Location": "https:x"}), errors.Final, "Unreachable"),
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


LARGE = artifact.binary(b"\0asm\1\0\0\0" + bytes(range(256)) * (upload.WHOLE // 256))
MODULE = LARGE.blobs[1]
SIZE = len(MODULE.data)


@pytest.fixture
def patched(server):
    """The same server, which takes large blobs by PATCH; only the small blob is there."""
    server.routes["HEAD", f"{stored.BASE}/blobs/{LARGE.blobs[0].digest}"] = Answer(200)
    server.routes["PATCH", "/up"] = Answer(202, headers={"Location": "/next"})
    server.routes["PUT", "/next"] = Answer(201)
    server.routes["PUT", TAG] = Answer(201, headers={"Docker-Content-Digest": str(LARGE.digest)})
    return server


def _store(server, manner=upload.PLAINLY) -> Digest:
    ref = stored.reference(server)
    return stored.run(lambda registry: registry.store(ref, LARGE, None, manner))


def test_large_blob_is_patched(patched):
    """A large blob goes in one PATCH, and an empty PUT at the place that it names ends the upload."""
    told = []
    assert (
        _store(patched, upload.Manner(told=lambda blob, at: told.append((blob.digest, at)))) == LARGE.digest
    )
    (patch,) = patched.asked("PATCH", "/up")
    assert patch.body == MODULE.data
    assert "content-range" not in patch.headers
    (end,) = patched.asked("PUT", "/next")
    assert (end.body, end.path) == (b"", f"/next?digest=sha256%3A{MODULE.digest.hex}")
    heard = [at for digest, at in told if digest == MODULE.digest]
    assert heard == sorted(heard)
    assert heard[-1] == SIZE


@pytest.mark.parametrize("said", ["0-999999", "bytes=0-999999"])
def test_cut_upload_goes_on(patched, said):
    """After a cut the registry is asked how much came, and only the rest is sent, at the place it names."""
    patched.routes["PATCH", "/up"] = Answer(cut=-1)
    patched.routes["GET", "/up"] = Answer(204, headers={"Range": said, "Location": "/resumed"})
    patched.routes["PATCH", "/resumed"] = Answer(202, headers={"Location": "/next"})
    assert _store(patched) == LARGE.digest
    (rest,) = patched.asked("PATCH", "/resumed")
    assert rest.body == MODULE.data[1_000_000:]
    assert rest.headers["content-range"] == f"1000000-{SIZE - 1}"
    assert len(patched.asked("POST", UPLOADS)) == 1


def test_cut_again_and_again(patched):
    """An upload that comes further with each try goes on, however often it is cut; one that stands still ends."""
    patched.routes["PATCH", "/up"] = [*[Answer(cut=-1)] * 7, Answer(202, headers={"Location": "/next"})]
    patched.routes["GET", "/up"] = [
        Answer(204, headers={"Range": f"0-{end}"}) for end in range(999, 8000, 1000)
    ]
    assert _store(patched) == LARGE.digest
    assert [SIZE - len(seen.body) for seen in patched.asked("PATCH", "/up")] == [0, *range(1000, 8000, 1000)]
    patched.routes["PATCH", "/up"] = Answer(cut=-1)
    with pytest.raises(errors.Retry) as caught:
        _store(patched)
    assert caught.value.message.endswith("tried 3 times")


def test_cut_after_the_last_byte(patched):
    """An upload that came whole is only ended."""
    patched.routes["PATCH", "/up"] = Answer(cut=-1)
    patched.routes["GET", "/up"] = Answer(204, headers={"Range": f"0-{SIZE - 1}", "Location": "/next"})
    assert _store(patched) == LARGE.digest
    assert len(patched.asked("PATCH", "/up")) == 1


@pytest.mark.parametrize(
    "status",
    [
        Answer(404),
        Answer(405),
        Answer(204),
        Answer(204, headers={"Range": "0-0"}),
        Answer(204, headers={"Range": f"0-{SIZE}"}),
        Answer(204, headers={"Range": "5-9"}),
    ],
)
def test_cut_upload_begins_anew(patched, status):
    """Where a registry cannot say how much came, or says nonsense, the blob is sent from its first byte."""
    patched.routes["PATCH", "/up"] = [Answer(cut=-1), Answer(202, headers={"Location": "/next"})]
    patched.routes["GET", "/up"] = status
    assert _store(patched) == LARGE.digest
    assert [seen.body for seen in patched.asked("PATCH", "/up")] == [MODULE.data] * 2
    assert len(patched.asked("POST", UPLOADS)) == 2


def test_refused_rest_begins_anew(patched):
    """A registry that does not take the rest of an upload gets the whole blob in a new one."""
    patched.routes["PATCH", "/up"] = [Answer(cut=-1), Answer(416), Answer(202, headers={"Location": "/next"})]
    patched.routes["GET", "/up"] = Answer(204, headers={"Range": "0-999999"})
    assert _store(patched) == LARGE.digest
    sizes = [len(seen.body) for seen in patched.asked("PATCH", "/up")]
    assert sizes == [SIZE, SIZE - 1_000_000, SIZE]


def test_came_further_than_was_said(patched):
    """A registry that still reads what it got, and so refuses the rest, is asked again and goes on from there."""
    patched.routes["PATCH", "/up"] = [
        Answer(cut=-1),
        Answer(416),
        Answer(202, headers={"Location": "/next"}),
    ]
    patched.routes["GET", "/up"] = [
        Answer(204, headers={"Range": f"0-{end}"}) for end in (999_999, 1_999_999)
    ]
    assert _store(patched) == LARGE.digest
    sizes = [len(seen.body) for seen in patched.asked("PATCH", "/up")]
    assert sizes == [SIZE, SIZE - 1_000_000, SIZE - 2_000_000]
    assert len(patched.asked("POST", UPLOADS)) == 1


def test_mounted(patched):
    """A blob of another repository is taken from there; its bytes are not sent."""

    def mount(seen):
        return Answer(201 if "mount=" in seen.path else 500)

    patched.routes["POST", UPLOADS] = mount
    told = []
    manner = upload.Manner(("team/app", "team/other"), lambda blob, at: told.append((blob.digest, at)))
    assert _store(patched, manner) == LARGE.digest
    (asked,) = patched.asked("POST", UPLOADS)
    assert asked.path.endswith(f"?mount=sha256%3A{MODULE.digest.hex}&from=team%2Fother")
    assert (MODULE.digest, SIZE) in told
    assert patched.asked("PATCH", "/up") == []


@pytest.mark.parametrize("refusal", [Answer(202, headers={"Location": "/up"}), Answer(403), Answer(404)])
def test_not_mounted(patched, refusal):
    """Where a registry does not mount, by beginning an upload or by a refusal, the bytes are sent."""
    patched.routes["POST", UPLOADS] = [refusal, Answer(202, headers={"Location": "/up"})]
    assert _store(patched, upload.Manner(("team/other",))) == LARGE.digest
    assert [seen.body for seen in patched.asked("PATCH", "/up")] == [MODULE.data]
    assert len(patched.asked("POST", UPLOADS)) == (1 if refusal.status == 202 else 2)
