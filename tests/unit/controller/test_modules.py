"""What sources are asked: an object is fetched once, and who asks the same at the same time asks once."""

from __future__ import annotations

import asyncio

import pytest

from autowasm import errors
from autowasm.controller.checks import Checks
from autowasm.controller.metrics import Metrics
from autowasm.controller.modules import Modules, Sources
from autowasm.controller.wasmers import Wasmers
from autowasm.digest import Digest
from autowasm.istio import spec as specs
from autowasm.kube.names import Key
from autowasm.net import session
from autowasm.oci import artifact
from autowasm.registry.client import Registry
from autowasm.store.blobs import Blobs
from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer
from tests.unit.registry import stored

OLD, NEW = (b"\0asm\1\0\0\0" + name for name in (b"old", b"new"))


def _answer(data: bytes):
    """An object whose version is its digest."""
    etag = f'"{Digest.of(data).hex}"'

    def answer(seen: tiny_server.Seen) -> Answer:
        same = seen.headers.get("if-none-match") == etag
        return Answer(304 if same else 200, b"" if same else data, {"ETag": etag})

    return answer


class NoSecrets:
    """No Secret is asked about."""

    async def docker_config(self, namespace: str, name: str, registry: str) -> bytes:
        """Fail."""
        raise AssertionError((namespace, name, registry))

    def seen(self, key: Key) -> str | None:
        """Fail."""
        raise AssertionError(key)

    async def version(self, key: Key) -> str:
        """Fail."""
        raise AssertionError(key)


def _spec(url: str) -> specs.Spec:
    source = {"object": {"url": url}}
    body = {"filter": {"applyPorts": [80], "source": source}, "selector": {"matchLabels": {"app": "a"}}}
    return specs.parse({"metadata": {"name": "a"}, "spec": body})


LOST = ["", "noticed by who serves it", "noticed by the check"]
STATUSES = [[200, 304, 200], [200] * 3, [200] * 3]


@pytest.mark.parametrize(("lost", "statuses"), [*zip(LOST, STATUSES, strict=True)])
def test_objects_are_asked_about(tmp_path, lost, statuses):
    """An object that its server calls the same is not sent again, unless the store lost it."""
    seen: list[int] = []

    def counted(answer):
        def handle(request: tiny_server.Seen) -> Answer:
            given = answer(request)
            seen.append(given.status)
            return given

        return handle

    async def main(server: tiny_server.Server) -> list[Digest]:
        store = Blobs(tmp_path)
        async with session.client(timeout=5) as http:
            sources = Sources(Registry(http), http, NoSecrets(), Wasmers(http, None))
            modules = Modules(store, sources, Metrics())
            spec = _spec(f"{server.url}/m")
            server.routes["GET", "/m"] = counted(_answer(OLD))
            found = [(await modules.newest(spec)).digest]
            if lost:
                store.delete(found[0])
            if lost == LOST[1]:
                modules.forget(found[0])
            if lost == LOST[2]:
                with pytest.raises(errors.Retry, match="gone from the store"):
                    await Checks(modules, Metrics()).report(spec, found[0])
            found.append((await modules.newest(spec)).digest)
            server.routes["GET", "/m"] = counted(_answer(NEW))
            found.append((await modules.newest(spec)).digest)
            await modules.close()
            assert [store.get(digest) is not None for digest in found] == [True] * 3
            return found

    with tiny_server.serving() as server:
        assert asyncio.run(main(server)) == [Digest.of(OLD), Digest.of(OLD), Digest.of(NEW)]
    assert seen == statuses


def test_a_tag_is_asked_about_once_at_a_time(tmp_path):
    """Two AutoWasms that want the same image with the same right ask once; a later one asks anew."""
    made = artifact.image(stored.MODULE)

    async def main(server: tiny_server.Server) -> list[Digest]:
        async with session.client(timeout=5) as http:
            sources = Sources(Registry(http), http, NoSecrets(), Wasmers(http, None))
            modules = Modules(Blobs(tmp_path), sources, Metrics())
            source = {"registry": {"image": str(stored.reference(server, ":v1"))}}
            body = {"filter": {"source": source}, "selector": {"matchLabels": {"app": "a"}}}
            specs_ = [specs.parse({"metadata": {"name": name}, "spec": body}) for name in ("a", "b")]
            both = await asyncio.gather(*(modules.newest(spec) for spec in specs_))
            later = await modules.newest(specs_[0])
            await modules.close()
            return [version.digest for version in (*both, later)]

    with tiny_server.serving() as server:
        stored.store(server, made)
        assert asyncio.run(main(server)) == [Digest.of(stored.MODULE)] * 3
        assert len(server.asked("HEAD", f"{stored.BASE}/manifests/v1")) == 2
