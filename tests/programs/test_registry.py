"""The registry client against the real registry program."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from autowasm import errors
from autowasm.digest import Digest
from autowasm.net import retry, session
from autowasm.oci import artifact
from autowasm.oci.reference import Reference
from autowasm.registry import client
from autowasm.registry.credentials import Credentials
from tests.programs import forwarder, registry_server

pytestmark = pytest.mark.programs

T = TypeVar("T")
BOB = Credentials("bob", "secret")
WASM = b"\0asm\1\0\0\0"


@pytest.fixture(scope="module")
def anonymous(tmp_path_factory):
    """A registry that asks for nothing."""
    with registry_server.running(tmp_path_factory.mktemp("anonymous")) as server:
        yield server


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    """A registry that asks for bob's password."""
    with registry_server.running(tmp_path_factory.mktemp("private"), "bob", "secret") as server:
        yield server


def run(use: Callable[[client.Registry], Awaitable[T]], patience: retry.Patience | None = None) -> T:
    """Use a registry client."""

    async def main() -> T:
        async with session.client(timeout=20) as http:
            return await use(client.Registry(http, patience=patience))

    return asyncio.run(main())


def reference(server: registry_server.Server, rest: str) -> Reference:
    """A reference on the server."""
    return Reference.parse(f"{server.host}/{rest}")


@pytest.mark.parametrize("name", artifact.FORMATS)
def test_there_and_back(anonymous, name):
    """What is pushed in either format is what is pulled, and all agree on the manifest's digest."""
    ref = reference(anonymous, f"back/{name}:v1")
    module = WASM + name.encode() * 500

    async def use(registry):
        digest = await registry.push(ref, module, None, shape=artifact.FORMATS[name])
        return digest, await registry.resolve(ref, None), await registry.pull(ref, None)

    pushed, resolved, pulled = run(use)
    assert pushed == resolved == pulled.manifest
    assert (pulled.module, pulled.module_digest) == (module, Digest.of(module))


def test_name_of_this_host(anonymous):
    """The same registry is reached as registry.localhost, as its port on this host."""
    ref = Reference.parse(f"registry.localhost:{anonymous.host.partition(':')[2]}/name:v1")

    async def use(registry):
        await registry.push(ref, WASM, None)
        return await registry.pull(reference(anonymous, "name:v1"), None)

    assert run(use).module == WASM


def test_pushing_again_sends_nothing(anonymous):
    """Blobs that the registry has are not sent a second time; the digest is the same."""
    module = WASM + b"again"

    async def use(registry):
        first = await registry.push(reference(anonymous, "again:v1"), module, None)
        return first, await registry.push(reference(anonymous, "again:v2"), module, None)

    first, second = run(use)
    assert first == second
    assert anonymous.requests("PUT", "/v2/again/blobs/") == 2  # configuration and layer, once each
    assert anonymous.requests("PUT", "/v2/again/manifests/") == 2


def test_moving_tag_and_pin(anonymous):
    """A tag that moves resolves to the new manifest, a pinned reference pulls the old one still."""
    ref = reference(anonymous, "moving:latest")

    async def use(registry):
        old = await registry.push(ref, WASM + b"1", None)
        new = await registry.push(ref, WASM + b"2", None)
        pinned = await registry.pull(ref.at(old), None)
        return old, new, await registry.resolve(ref, None), pinned

    old, new, resolved, pinned = run(use)
    assert resolved == new != old
    assert (pinned.module, pinned.manifest) == (WASM + b"1", old)


def test_push_by_digest(anonymous):
    """A push to a digest is stored under it; to another than the manifest's it is bad input."""
    made = artifact.image(WASM)
    ref = reference(anonymous, f"digest@{made.digest}")
    assert run(lambda registry: registry.push(ref, WASM, None)) == made.digest
    wrong = reference(anonymous, f"wrong@{Digest.of(b'')}")
    with pytest.raises(errors.Usage):
        run(lambda registry: registry.push(wrong, WASM, None))
    assert anonymous.requests("HEAD", "/v2/wrong/") == 0


@pytest.mark.parametrize("rest", ["never/pushed:v1", f"never/pushed@{Digest.of(b'x')}"])
def test_unknown(anonymous, rest):
    """What was never pushed is not found, when it is resolved and when it is pulled."""
    for use in (client.Registry.resolve, client.Registry.pull):
        with pytest.raises(errors.Final) as caught:
            run(lambda registry, use=use: use(registry, reference(anonymous, rest), None))
        assert caught.value.reason == "NotFound"


def test_password(private):
    """With the password a private registry serves push, resolve and pull."""
    ref = reference(private, "team/private:v1")

    async def use(registry):
        digest = await registry.push(ref, WASM, BOB)
        assert await registry.resolve(ref, BOB) == digest
        return await registry.pull(ref, BOB)

    assert run(use).module == WASM


@pytest.mark.parametrize(
    ("credentials", "who"),
    [
        (None, "without credentials"),
        (Credentials("bob", "wrong"), "as user 'bob'"),
        (Credentials("eve", "secret"), "as user 'eve'"),
    ],
)
def test_wrong_password(private, credentials, who):
    """Without the password nothing is served, and the error says who was refused and what would help."""
    ref = reference(private, "team/private:v1")
    for use in (
        lambda registry: registry.pull(ref, credentials),
        lambda registry: registry.push(ref, WASM, credentials),
    ):
        with pytest.raises(errors.Final) as caught:
            run(use)
        assert caught.value.reason == "Unauthorized"
        assert who in caught.value.message
        assert f"{private.host}/team/private" in caught.value.remedy
        assert "secret" not in str(caught.value)


def test_one_client_many_callers(private):
    """On one client a caller without the password is refused also right after one who has it."""
    ref = reference(private, "team/shared:v1")

    async def use(registry):
        await registry.push(ref, WASM, BOB)
        outcomes = [registry.pull(ref, credentials) for credentials in [BOB, None] * 4]
        return await asyncio.gather(*outcomes, return_exceptions=True)

    outcomes = run(use)
    assert [isinstance(outcome, errors.Final) for outcome in outcomes] == [False, True] * 4


def test_large(anonymous):
    """A module of many pieces comes back whole."""
    module = WASM + bytes(range(256)) * (20 * 4096)
    ref = reference(anonymous, "large:v1")

    async def use(registry):
        await registry.push(ref, module, None, shape=artifact.binary)
        return await registry.pull(ref, None)

    assert run(use).module_digest == Digest.of(module)


@pytest.mark.parametrize("step", ["push", "pull"])
def test_registry_is_killed_in_the_middle(tmp_path, step):
    """A registry that is killed in the middle of a push or a pull, and started again, ends neither.

    What came is not sent again: all in all hardly more bytes go over the wire than the module has.
    """
    patience = retry.Patience(tries=200, base=0.02, ceiling=0.1)
    module = WASM + random.Random(1).randbytes(30_000_000)

    def restart() -> None:
        server.kill()
        server.start()

    with registry_server.running(tmp_path) as server:
        port = int(server.host.partition(":")[2])
        if step == "pull":
            shaped = {"shape": artifact.binary}
            run(lambda registry: registry.push(reference(server, "killed:v1"), module, None, **shaped))
        direction = "up" if step == "push" else "down"
        with forwarder.forwarding(port, direction, 12_000_000, restart) as between:
            ref = Reference.parse(f"{between.host}/killed:v1")
            if step == "push":
                run(lambda registry: registry.push(ref, module, None, shape=artifact.binary), patience)
            else:
                assert run(lambda registry: registry.pull(ref, None), patience).module == module
            assert between.done
            assert between.gone[direction] < 38_000_000
        assert run(lambda registry: registry.pull(reference(server, "killed:v1"), None)).module == module


@pytest.mark.parametrize("step", ["push", "pull"])
def test_registry_comes_back(tmp_path, step):
    """A registry that is away is waited for, and both push and pull finish once it is back."""
    patience = retry.Patience(tries=200, base=0.02, ceiling=0.1)
    with registry_server.running(tmp_path) as server:
        ref = reference(server, "back:v1")
        run(lambda registry: registry.push(ref, WASM, None))
        port = int(server.host.partition(":")[2])
    outcome = []

    def work() -> None:
        if step == "pull":
            outcome.append(run(lambda registry: registry.pull(ref, None), patience).module)
        else:
            outcome.append(run(lambda registry: registry.push(ref, WASM + b"2", None), patience))

    thread = threading.Thread(target=work)
    thread.start()
    with registry_server.running(tmp_path, port=port):
        thread.join(60)
    assert outcome == [WASM if step == "pull" else artifact.image(WASM + b"2").digest]
