"""Other people's clients: what goes in by one comes out by the other, on every kind of registry; and rights.

The verbs of wasmc themselves, registry by registry, are in test_verbs.
"""

from __future__ import annotations

import asyncio
import functools
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from autowasm import errors
from autowasm.digest import Digest
from autowasm.net import session
from autowasm.oci import artifact
from autowasm.oci.reference import Reference
from autowasm.registry import client, upload
from autowasm.registry.credentials import Credentials
from harness.toolchain import binaries
from tests.programs import registries, registry_server, token_server, wasmc_process

pytestmark = pytest.mark.programs

T = TypeVar("T")
WASM = b"\0asm\1\0\0\0"
BOB, EVE = Credentials("bob", "secret"), Credentials("eve", "hidden")
PASSWORDS = {"bob": "secret", "eve": "hidden"}
RIGHTS = {
    "bob": {"team/app": "*", "team/base": "*", "team/mounts": "*", "crane/app": "*"},
    "eve": {"team/app": "pull"},
}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    """A token server."""
    with token_server.serving(tmp_path_factory.mktemp("tokens"), PASSWORDS, RIGHTS) as server:
        yield server


@pytest.fixture(scope="module")
def servers(tmp_path_factory, tokens):
    """Registries by name: distribution with passwords, with tokens of several rights, and two of others."""
    folder = tmp_path_factory.mktemp
    with (
        registry_server.running(folder("htpasswd"), "bob", "secret") as htpasswd,
        registry_server.running(folder("token"), auth=tokens.auth()) as token,
        registries.TABLE["crane"].run(folder("crane")) as other,
        registries.TABLE["ociserver"].run(folder("ociserver")) as another,
    ):
        yield {"htpasswd": htpasswd, "token": token, "crane": other, "ociserver": another}


@pytest.fixture(params=["htpasswd", "token", "crane", "ociserver"])
def registry(request, servers):
    """Each registry."""
    return servers[request.param]


def _program(name: str, folder: Path, logged_in: list[str]) -> Callable[..., bytes]:
    wasmc_process.log_in(folder, logged_in)
    path = binaries.ensure([name], lambda _event: None).path(name)
    environment = {**os.environ, "DOCKER_CONFIG": str(folder / "docker")}

    def run(*args: str | Path) -> bytes:
        done = subprocess.run([path, *args], cwd=folder, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run


@pytest.fixture
def foreign(tmp_path, servers):
    """Runs crane, logged in as bob."""
    return _program("crane", tmp_path, [servers[name].host for name in ("htpasswd", "token")])


@pytest.fixture
def oras(tmp_path, servers):
    """Runs oras, logged in as bob."""
    return _program("oras", tmp_path, [servers[name].host for name in ("htpasswd", "token")])


def use(call: Callable[[client.Registry], Awaitable[T]]) -> T:
    """Use a registry client."""

    async def main() -> T:
        async with session.client(timeout=20) as http:
            return await call(client.Registry(http))

    return asyncio.run(main())


def on(server: registry_server.Server, rest: str) -> Reference:
    """A reference on a server."""
    return Reference.parse(f"{server.host}/{rest}")


async def store(
    it: client.Registry, ref: Reference, made: artifact.Artifact, manner: upload.Manner
) -> Digest:
    """Store an image as bob."""
    return await it.store(ref, made, BOB, manner)


def layer(module: bytes) -> bytes:
    """A tar with a module, as `docker build` makes a layer."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        entry = tarfile.TarInfo("plugin.wasm")
        entry.size = len(module)
        archive.addfile(entry, io.BytesIO(module))
    return stream.getvalue()


@pytest.mark.parametrize("shape", artifact.FORMATS)
def test_crane_reads_ours(registry, foreign, tmp_path, shape):
    """What we push crane finds sound: digest, manifest, a pull of the whole image."""
    ref = on(registry, f"crane/app:ours-{shape}")
    made = artifact.FORMATS[shape](WASM + shape.encode(), artifact.Extras(annotations={"by": "us"}))
    digest = use(lambda it: it.store(ref, made, BOB))
    assert foreign("digest", str(ref)).decode().strip() == str(digest)
    assert foreign("manifest", str(ref)) == made.manifest
    assert json.loads(foreign("manifest", str(ref)))["annotations"]["by"] == "us"
    foreign("pull", "--format=oci", str(ref), tmp_path / "image")
    blobs = tmp_path / "image" / "blobs" / "sha256"
    assert {blob.digest.hex for blob in made.blobs} < {file.name for file in blobs.iterdir()}


def test_image_is_an_image_to_crane(registry, foreign):
    """The default format is an image like any other: crane validates it and exports the module as its file."""
    ref = on(registry, "crane/app:image")
    use(lambda it: it.push(ref, WASM + b"image", BOB))
    foreign("validate", "--remote", str(ref))
    with tarfile.open(fileobj=io.BytesIO(foreign("export", str(ref), "-"))) as archive:
        assert archive.getnames() == ["plugin.wasm"]
        assert archive.extractfile("plugin.wasm").read() == WASM + b"image"


@pytest.mark.parametrize("base", ["docker", "oci"])
def test_we_read_cranes(registry, foreign, tmp_path, base):
    """An image that crane makes and pushes is pulled by us, be it Docker's or OCI's."""
    ref = on(registry, f"crane/app:theirs-{base}")
    (tmp_path / "layer.tar").write_bytes(layer(WASM + base.encode()))
    kind = ["--oci-empty-base"] if base == "oci" else []
    foreign("append", *kind, "-f", tmp_path / "layer.tar", "-t", str(ref))
    pulled = use(lambda it: it.pull(ref, BOB))
    assert (pulled.module, pulled.layout) == (WASM + base.encode(), f"{base}-image")
    assert foreign("digest", str(ref)).decode().strip() == str(pulled.manifest)


@pytest.mark.parametrize("shape", ["binary", "cncf"])
def test_oras_reads_ours(registry, oras, tmp_path, shape):
    """Oras finds the digest that we pushed, copies the artifact, and pulls the module as a file where it has a name."""
    ref, copied = on(registry, f"crane/app:oras-{shape}"), on(registry, f"crane/app:copied-{shape}")
    module = WASM + b"oras" + shape.encode()
    digest = use(lambda it: it.push(ref, module, BOB, shape=artifact.FORMATS[shape]))
    assert oras("resolve", "--plain-http", str(ref)).decode().strip() == str(digest)
    oras("cp", "--from-plain-http", "--to-plain-http", str(ref), str(copied))
    pulled = use(lambda it: it.pull(copied, BOB))
    assert (pulled.module, pulled.manifest) == (module, digest)
    oras("pull", "--plain-http", str(copied), "-o", "pulled")
    named = {"binary": {"runtime-config.json", "filter.wasm"}, "cncf": set()}[shape]
    assert {file.name for file in (tmp_path / "pulled").glob("*")} == named
    if named:
        assert (tmp_path / "pulled" / "filter.wasm").read_bytes() == module


def test_we_copy_what_oras_signed(servers, oras, tmp_path):
    """An artifact that something is attached to is pulled and copied as before; the attachment stays behind."""
    source, target = on(servers["ociserver"], "team/signed:v1"), on(servers["token"], "team/app:signed")
    digest = use(lambda it: it.push(source, WASM + b"signed", None))
    (tmp_path / "signature").write_bytes(b"it is I")
    oras("attach", "--plain-http", "--artifact-type", "application/x-signature", str(source), "signature")
    assert use(lambda it: it.pull(source, None)).manifest == digest
    assert use(lambda it: it.copy(client.Party(source, None), client.Party(target, BOB))) == digest


@pytest.mark.parametrize("shape", artifact.FORMATS)
def test_crane_copies_ours(servers, foreign, shape):
    """Crane copies our images from registry to registry, and we find in the copy what we pushed."""
    source, target = (on(servers[name], f"crane/app:copy-{shape}") for name in ("token", "crane"))
    digest = use(lambda it: it.push(source, WASM + shape.encode(), BOB, shape=artifact.FORMATS[shape]))
    foreign("copy", str(source), str(target))
    pulled = use(lambda it: it.pull(target, None))
    assert (pulled.module, pulled.manifest) == (WASM + shape.encode(), digest)


def test_we_copy_cranes(servers, foreign, tmp_path):
    """We copy an index that crane made, with all of its images, and crane finds the copy sound."""
    (tmp_path / "layer.tar").write_bytes(layer(WASM + b"index"))
    image, index, target = (
        on(servers["token"], "crane/app:one"),
        on(servers["token"], "crane/app:index"),
        on(servers["htpasswd"], "any/where:copied"),
    )
    foreign("append", "--oci-empty-base", "-f", tmp_path / "layer.tar", "-t", str(image))
    foreign("index", "append", "-m", str(image), "-t", str(index))
    digest = use(lambda it: it.copy(client.Party(index, BOB), client.Party(target, BOB)))
    foreign("validate", "--remote", str(target))
    assert foreign("digest", str(target)).decode().strip() == str(digest)
    assert foreign("manifest", str(target)) == foreign("manifest", str(index))
    assert use(lambda it: it.pull(target, BOB)).module == WASM + b"index"


def test_copy_within_a_registry_sends_nothing(servers, tokens):
    """Within a registry blobs are mounted, with one token for both repositories."""
    server, module = servers["token"], WASM + b"mounted" * upload.WHOLE
    source, target = on(server, "team/base:v1"), on(server, "team/app:mounted")
    digest = use(lambda it: it.push(source, module, BOB, shape=artifact.binary))
    before = server.requests("PUT", "/v2/team/app/blobs/")
    assert use(lambda it: it.copy(client.Party(source, BOB), client.Party(target, BOB))) == digest
    assert server.requests("PUT", "/v2/team/app/blobs/") == before
    assert server.requests("GET", "/v2/team/base/blobs/") == 0
    assert any(
        {"repository:team/base:pull", "repository:team/app:pull,push"} <= {*it} for it in tokens.granted
    )
    assert use(lambda it: it.pull(target, BOB)).module == module


def test_push_that_mounts(servers):
    """A push takes a module from the repository that has it; from one that it may not read it sends the bytes."""
    server = servers["token"]
    made, fresh = (artifact.cncf(WASM + word * upload.WHOLE) for word in (b"known", b"fresh"))
    use(lambda it: it.store(on(server, "team/base:v2"), made, BOB))
    for image, repository, sent in ((made, "team/base", 0), (fresh, "not/ours", 2)):
        manner = upload.Manner((repository,))
        ref = on(server, f"team/mounts:{sent}")
        call = functools.partial(store, ref=ref, made=image, manner=manner)
        assert use(call) == image.digest
        assert server.requests("PUT", "/v2/team/mounts/blobs/uploads/") == sent


def test_rights(servers):
    """Who may only pull is refused a push and a deletion, and told as whom; who may nothing is refused a pull."""
    server = servers["token"]
    ref = on(server, "team/app:rights")
    use(lambda it: it.push(ref, WASM, BOB))
    assert use(lambda it: it.pull(ref, EVE)).module == WASM
    for call in (
        lambda it: it.push(ref, WASM + b"2", EVE),
        lambda it: it.delete(ref, EVE),
        lambda it: it.pull(ref, None),
        lambda it: it.pull(ref, Credentials("eve", "wrong")),
    ):
        with pytest.raises(errors.Final) as caught:
            use(call)
        assert caught.value.reason == "Unauthorized"


def test_one_token_serves_a_push(servers, tokens):
    """A push asks for one token, or for two where both blobs set out before the first came, and not for more."""
    before = len(tokens.granted)
    use(lambda it: it.push(on(servers["token"], "team/app:once"), WASM + b"once", BOB))
    assert 1 <= len(tokens.granted) - before <= 2


@pytest.mark.parametrize("credentials", [BOB, Credentials("bob", "wrong"), Credentials("who", "secret")])
@pytest.mark.parametrize("name", ["htpasswd", "token"])
def test_login(servers, name, credentials):
    """A login is taken with the password and refused without."""
    ref = Reference(servers[name].host, "")
    if credentials == BOB:
        use(lambda it: it.login(ref, credentials))
        return
    with pytest.raises(errors.Final) as caught:
        use(lambda it: it.login(ref, credentials))
    assert caught.value.reason == "Unauthorized"
    assert caught.value.remedy == f"Give credentials that may log in to {servers[name].host}."


@pytest.mark.parametrize(("kind", "count"), [("distribution", 105), ("ociserver, terse", 1005)])
def test_many_tags(tmp_path, kind, count):
    """A list of tags in several pages is read to its end, also where the registry does not say that there are more."""
    made = artifact.binary(WASM)
    names = sorted(f"v{number}" for number in range(count))
    with registries.TABLE[kind].run(tmp_path) as server:

        async def call(it):
            for name in names:
                await it.store(on(server, f"many/tags:{name}"), made, None)
            return await it.tags(on(server, "many/tags"), None)

        assert sorted(use(call)) == names
