"""The registry client against a server that lies, fails, cuts off and redirects."""

from __future__ import annotations

import json

import pytest

from autowasm import errors, limits
from autowasm.digest import Digest
from autowasm.oci import artifact, manifest
from autowasm.registry.credentials import Credentials
from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer
from tests.unit.registry import stored

MADE = artifact.image(stored.MODULE)
LAYER = MADE.blobs[1]
TAG = f"{stored.BASE}/manifests/v1"
BLOB = f"{stored.BASE}/blobs/{LAYER.digest}"
BOB = Credentials("bob", "pw")


@pytest.fixture
def server():
    """A server that has the module under v1."""
    with tiny_server.serving() as running:
        stored.store(running, MADE)
        yield running


def _pull(server, credentials=None, rest=":v1"):
    return stored.run(lambda registry: registry.pull(stored.reference(server, rest), credentials))


def _resolve(server, rest=":v1"):
    return stored.run(lambda registry: registry.resolve(stored.reference(server, rest), None))


def _refused(server, rest=":v1") -> errors.Error:
    with pytest.raises(errors.Error) as caught:
        _pull(server, None, rest)
    assert caught.value.side == "registry"
    return caught.value


def test_pull_reads_two_things(server):
    """A pull is one manifest and the one blob that holds the module, both verified."""
    pulled = _pull(server)
    assert (pulled.module, pulled.layout) == (stored.MODULE, "oci-image")
    assert (pulled.module_digest, pulled.manifest) == (Digest.of(stored.MODULE), MADE.digest)
    assert [(seen.method, seen.path) for seen in server.seen] == [("GET", TAG), ("GET", BLOB)]


def test_pull_by_digest(server):
    """A reference with a digest pulls exactly that, whatever its tag points to by now."""
    server.routes["GET", TAG] = Answer(500)
    assert _pull(server, rest=f":v1@{MADE.digest}").module == stored.MODULE


def test_resolve_is_one_head(server):
    """Resolving asks for the head of the manifest and for nothing else."""
    assert _resolve(server) == MADE.digest
    assert [(seen.method, seen.path) for seen in server.seen] == [("HEAD", TAG)]
    assert manifest.OCI_INDEX in server.seen[0].headers["accept"]


def test_resolving_again_costs_no_connection(server):
    """A second question goes over the connection of the first."""

    async def twice(registry):
        for _ in range(2):
            await registry.resolve(stored.reference(server, ":v1"), None)

    stored.run(twice)
    assert len({seen.port for seen in server.seen}) == 1


@pytest.mark.parametrize(
    "head", [Answer(405), Answer(200), Answer(200, headers={"Docker-Content-Digest": "sha512:x"})]
)
def test_resolve_without_head(server, head):
    """Where HEAD says nothing of use, the manifest's own bytes say its digest."""
    server.routes["HEAD", TAG] = head
    assert _resolve(server) == MADE.digest


def test_resolve_by_digest_verifies(server):
    """A registry that has another manifest under a digest is caught at the HEAD."""
    wrong = Digest.of(b"other")
    lie = Answer(200, headers={"Docker-Content-Digest": str(MADE.digest)})
    server.routes["HEAD", f"{stored.BASE}/manifests/{wrong}"] = lie
    with pytest.raises(errors.Final) as caught:
        _resolve(server, f"@{wrong}")
    assert caught.value.reason == "DigestMismatch"


@pytest.mark.parametrize(
    ("route", "answer", "reason"),
    [
        (TAG, Answer(404), "NotFound"),
        (TAG, Answer(403, b'{"errors":[{"code":"DENIED","message":"no"}]}'), "Forbidden"),
        (TAG, Answer(401), "Unauthorized"),
        (TAG, Answer(401, headers={"WWW-Authenticate": 'Basic realm="x"'}), "Unauthorized"),
        (TAG, Answer(401, headers={"WWW-Authenticate": 'Basic realm="'}), "Unauthorized"),
        (TAG, Answer(200, b"{}"), "BadManifest"),
        (TAG, Answer(200, b"x" * (limits.MANIFEST_BYTES + 1)), "TooLarge"),
        (TAG, Answer(200, MADE.manifest, {"Docker-Content-Digest": str(Digest.of(b""))}), "DigestMismatch"),
        (TAG, Answer(301, headers={"Location": TAG}), "Unreachable"),
        (TAG, Answer(301, headers={"Location": "ftp://x/"}), "Unreachable"),
        (BLOB, Answer(404), "NotFound"),
        (BLOB, Answer(200, LAYER.data[:-1]), "DigestMismatch"),
        (BLOB, Answer(200, LAYER.data + b"x"), "DigestMismatch"),
        (BLOB, Answer(200, bytes(len(LAYER.data))), "DigestMismatch"),
    ],
)
def test_final(server, route, answer, reason):
    """What no wait heals is asked for once and refused under its reason."""
    server.routes["GET", route] = answer
    error = _refused(server)
    assert (type(error), error.reason) == (errors.Final, reason)
    assert error.message.isprintable()


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (Answer(500), "RegistryFault"),
        (Answer(503, headers={"Retry-After": "0"}), "RegistryFault"),
        (Answer(429), "TooManyRequests"),
        (Answer(200, LAYER.data, cut=5), "Unreachable"),
        (Answer(cut=-1), "Unreachable"),
    ],
)
@pytest.mark.parametrize("route", [TAG, BLOB])
def test_retried(server, route, failure, reason):
    """What a wait may heal is tried again, until it has healed or patience ends."""
    sound = server.routes["GET", route]
    server.routes["GET", route] = [failure, failure, sound]
    assert _pull(server).module == stored.MODULE
    server.routes["GET", route] = failure
    error = _refused(server)
    assert (type(error), error.reason) == (errors.Retry, reason)
    assert error.message.endswith("tried 3 times")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (LAYER.data[:-1], f"must have {len(LAYER.data)} bytes, {len(LAYER.data) - 1} came"),
        (LAYER.data + b"x", f"must have {len(LAYER.data)} bytes, more came"),
    ],
)
def test_wrong_size(server, body, said):
    """A layer of another size than its descriptor says is refused by its size."""
    server.routes["GET", BLOB] = Answer(200, body)
    assert said in _refused(server).message


def test_long_retry_after(server):
    """A registry that asks for a long wait is not asked again; the wait is the caller's."""
    server.routes["GET", TAG] = Answer(429, headers={"Retry-After": "3600"})
    error = _refused(server)
    assert isinstance(error, errors.Retry)
    assert error.after == 3600.0
    assert len(server.seen) == 1


def test_too_large_a_layer(server):
    """A layer beyond the cap is refused by its descriptor, before a byte of it is asked for."""
    document = json.loads(MADE.manifest)
    document["layers"][0]["size"] = limits.MODULE_BYTES + 1
    server.routes["GET", TAG] = Answer(200, json.dumps(document).encode())
    assert _refused(server).reason == "TooLarge"
    assert len(server.seen) == 1


def test_no_module_in_the_layer(server):
    """A layer that is what it should be and holds no module says so."""
    made = artifact.binary(b"<html>")
    stored.store(server, made, "page")
    error = _refused(server, ":page")
    assert error.reason == "NoModule"
    assert "begins with '<html>'" in error.message


@pytest.mark.parametrize("credentials", [None, BOB])
def test_redirect_of_a_blob(server, credentials):
    """A blob is fetched from where the registry points to, and credentials do not travel there."""
    challenge = {"WWW-Authenticate": 'Basic realm="x"'}
    with tiny_server.serving() as storage:
        target = Answer(307, headers={"Location": f"{storage.url}/bucket?signature=abc"})

        def guarded(seen):
            return (
                target
                if credentials is None or "authorization" in seen.headers
                else Answer(401, headers=challenge)
            )

        server.routes["GET", BLOB] = guarded
        storage.routes["GET", "/bucket"] = Answer(200, LAYER.data)
        assert _pull(server, credentials).module == stored.MODULE
        assert [seen.path for seen in storage.seen] == ["/bucket?signature=abc"]
        assert "authorization" not in storage.seen[0].headers


def test_stranger_asks_for_credentials(server):
    """A challenge from where a redirect led to is not answered."""
    with tiny_server.serving() as storage:
        server.routes["GET", BLOB] = Answer(307, headers={"Location": f"{storage.url}/bucket"})
        storage.routes["GET", "/bucket"] = Answer(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        with pytest.raises(errors.Final) as caught:
            _pull(server, BOB)
        assert caught.value.reason == "Unauthorized"
        assert len(storage.seen) == 1


def _index(*items: tuple[artifact.Artifact, str, str]) -> bytes:
    manifests = [
        {
            "mediaType": made.media_type,
            "digest": str(made.digest),
            "size": len(made.manifest),
            "platform": {"os": os, "architecture": architecture},
        }
        for made, os, architecture in items
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": manifest.OCI_INDEX, "manifests": manifests}).encode()


def test_index(server):
    """Of an index the wasm platform's module is pulled; the digest to pin is the index's own."""
    other = artifact.image(b"\0asm\1\0\0\0other")
    stored.store(server, other, "other")
    body = _index((other, "linux", "amd64"), (MADE, "wasip1", "wasm"))
    server.routes["GET", TAG] = Answer(200, body)
    pulled = _pull(server)
    assert (pulled.module, pulled.manifest) == (stored.MODULE, Digest.of(body))


def test_index_with_programs(server):
    """An image of the index that holds no module is passed over for one that does."""
    program = artifact.binary(b"\x7fELF")
    stored.store(server, program, "program")
    server.routes["GET", TAG] = Answer(200, _index((program, "linux", "amd64"), (MADE, "linux", "arm64")))
    assert _pull(server).module == stored.MODULE


def test_index_without_a_module(server):
    """An index that holds no module at all says what was wrong with its likeliest image."""
    program = artifact.binary(b"\x7fELF")
    stored.store(server, program, "program")
    server.routes["GET", TAG] = Answer(200, _index((program, "linux", "amd64")))
    assert "begins with '\\x7fELF'" in _refused(server).message
    server.routes["GET", TAG] = Answer(200, _index())
    assert _refused(server).reason == "NoModule"


def test_index_of_itself(server):
    """An index that a registry serves in place of its images ends as a mismatch, not as a loop."""
    body = _index((MADE, "linux", "amd64"))
    for selector in ("v1", str(MADE.digest)):
        server.routes["GET", f"{stored.BASE}/manifests/{selector}"] = Answer(200, body)
    assert _refused(server).reason == "DigestMismatch"
