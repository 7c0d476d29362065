"""The cluster's client against a real API server: what a watch survives, and what writes leave behind."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time

import pytest
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition
from lightkube.resources.core_v1 import Secret, ServiceAccount

from autowasm import errors
from autowasm.istio import crd
from autowasm.kube import connection, kinds, objects, secrets, tokenreview, watch
from autowasm.kube.names import Key
from autowasm.registry.credentials import Credentials, from_dockerconfigjson
from tests.programs import apiserver

pytestmark = pytest.mark.programs

KEY = Key("default", "aw")


def autowasm(name: str = "aw", image: str = "registry.example/a:v1") -> dict:
    """An AutoWasm as a user writes it."""
    return {
        "apiVersion": f"{crd.GROUP}/{crd.VERSION}",
        "kind": "AutoWasm",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "filter": {"source": {"registry": {"image": image}}},
            "selector": {"matchLabels": {"app": "details"}},
        },
    }


def create(cluster: apiserver.Cluster, name: str) -> None:
    """Create an AutoWasm as a user does."""
    cluster.admin.create(kinds.AutoWasm(autowasm(name)))


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """An API server that holds the CRD of AutoWasm."""
    with apiserver.running(tmp_path_factory.mktemp("cluster")) as (cluster, programs):
        cluster.admin.create(CustomResourceDefinition.from_dict(crd.crd()))
        apiserver.converge(lambda: served(cluster))
        yield cluster, programs


def served(cluster: apiserver.Cluster) -> bool:
    """Whether the API server answers for the new kind."""
    with contextlib.suppress(Exception):
        list(cluster.admin.list(kinds.AutoWasm, namespace="*"))
        return True
    return False


@pytest.fixture
def cluster(running):
    """The cluster without AutoWasms."""
    cluster, _ = running
    for obj in cluster.admin.list(kinds.AutoWasm, namespace="default"):
        cluster.admin.delete(kinds.AutoWasm, obj.metadata.name, namespace="default")
    return cluster


def as_admin(cluster: apiserver.Cluster):
    """The system's own client with all rights; whose rights suffice is the controller's test."""
    path = cluster.folder / "admin.kubeconfig"
    entry = {"server": cluster.url, "certificate-authority": cluster.ca.name}
    config = {
        "current-context": "a",
        "clusters": [{"name": "c", "cluster": entry}],
        "users": [{"name": "u", "user": {"token": apiserver.ADMIN_TOKEN}}],
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(json.dumps(config))
    return connection.connect(path)


class Followed:
    """A watch that runs, and the names it yielded so far."""

    def __init__(self, client, pace: watch.Pace | None = None) -> None:
        self.watch = watch.Watch(client, kinds.AutoWasm, pace)
        self.names: list[Key] = []
        self._task = asyncio.ensure_future(self._follow())

    async def _follow(self) -> None:
        async for key in self.watch.changes():
            self.names.append(key)

    async def until(self, condition) -> None:
        """Wait for the condition to hold, and for the watch not to have ended."""
        deadline = time.monotonic() + 60
        while not condition(self):
            assert not self._task.done(), self._task.exception()
            assert time.monotonic() < deadline, (self.names, dict(self.watch.objects))
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """End it."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


@contextlib.asynccontextmanager
async def following(cluster, pace: watch.Pace | None = None):
    """A watch of all AutoWasms that has synced."""
    async with as_admin(cluster) as client:
        followed = Followed(client, pace)
        try:
            await followed.until(lambda it: it.watch.synced.is_set())
            yield followed
        finally:
            await followed.stop()


def test_names_appear_and_vanish(cluster):
    """What is there at first, what comes and what goes are all yielded, and objects are the newest."""

    async def scene() -> None:
        create(cluster, "first")
        async with following(cluster, watch.Pace(page=1)) as it:
            assert Key("default", "first") in it.watch.objects
            create(cluster, "second")
            await it.until(lambda it: Key("default", "second") in it.watch.objects)
            cluster.admin.delete(kinds.AutoWasm, "first", namespace="default")
            await it.until(lambda it: Key("default", "first") not in it.watch.objects)
            assert it.names.count(Key("default", "first")) >= 2

    asyncio.run(scene())


def test_pages_of_a_list_are_all_read(cluster):
    """A list that is longer than a page is complete."""

    async def scene() -> None:
        for number in range(5):
            create(cluster, f"n{number}")
        async with following(cluster, watch.Pace(page=2)) as it:
            assert len(it.watch.objects) == 5

    asyncio.run(scene())


def test_a_relist_finds_what_no_event_told(cluster):
    """A list that is due while the stream is silent is made, and the watch goes on after it."""

    async def scene() -> None:
        create(cluster, "a")
        async with following(cluster, watch.Pace(relist=0.2)) as it:
            await it.until(lambda it: it.names.count(Key("default", "a")) >= 3)
            create(cluster, "b")
            await it.until(lambda it: Key("default", "b") in it.watch.objects)

    asyncio.run(scene())


# So little patience ends some streams in the middle of their TLS handshake, whose sockets httpcore2 leaves to the
# garbage collector when it is cancelled there.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_silent_stream_is_resumed(cluster):
    """A stream that says nothing for too long is opened again from where it was, without a new list."""

    async def scene() -> None:
        create(cluster, "a")
        async with following(cluster, watch.Pace(silence=0.03)) as it:
            for number in range(10):
                await asyncio.to_thread(create, cluster, f"n{number}")
                await it.until(lambda it, name=f"n{number}": Key("default", name) in it.watch.objects)
            assert it.names.count(Key("default", "a")) == 1

    asyncio.run(scene())


def test_an_apiserver_that_is_killed_and_comes_back(running, cluster):
    """A watch goes on after kill -9 of the API server, and knows what was deleted and made meanwhile."""

    async def scene() -> None:
        programs = running[1]
        create(cluster, "stays")
        create(cluster, "goes")
        async with following(cluster) as it:
            await asyncio.to_thread(programs.stop_apiserver)
            await asyncio.to_thread(programs.start_apiserver)
            cluster.admin.delete(kinds.AutoWasm, "goes", namespace="default")
            create(cluster, "comes")
            await it.until(lambda it: {key.name for key in it.watch.objects} == {"stays", "comes"})

    asyncio.run(scene())


def test_a_version_that_etcd_forgot(running, cluster):
    """A resume from a version that was compacted away (410) turns into a new list."""

    async def scene() -> None:
        create(cluster, "old")
        async with as_admin(cluster) as client:
            it = Followed(client)
            await it.until(lambda it: it.watch.synced.is_set())
            await it.stop()
            cluster.admin.delete(kinds.AutoWasm, "old", namespace="default")
            create(cluster, "new")
            running[1].forget_history()
            again = Followed(client)
            again.watch = it.watch
            await again.until(lambda it: {key.name for key in it.watch.objects} == {"new"})
            await again.stop()

    asyncio.run(scene())


def test_what_a_write_answered_is_known_at_once(cluster):
    """The answer of a write is known before its event arrives, and never overrides newer news."""

    async def scene() -> None:
        async with following(cluster) as it, as_admin(cluster) as client:
            written = await objects.apply(client, kinds.AutoWasm, autowasm(), force=False)
            it.watch.learn(written)
            assert it.watch.objects[KEY] == written
            await objects.delete(client, kinds.AutoWasm, KEY)
            await it.until(lambda it: KEY not in it.watch.objects)
            it.watch.learn(written)
            assert KEY not in it.watch.objects

    asyncio.run(scene())


def test_status_is_of_one_object_only(cluster):
    """A status for an object that was deleted and made anew is not written to the new one."""

    async def scene() -> None:
        async with as_admin(cluster) as client:
            first = await objects.apply(client, kinds.AutoWasm, autowasm(), force=False)
            written = await objects.write_status(client, kinds.AutoWasm, first, {"phase": "Synced"})
            assert written["status"] == {"phase": "Synced"}
            await objects.delete(client, kinds.AutoWasm, KEY)
            assert await objects.write_status(client, kinds.AutoWasm, first, {"phase": "Synced"}) is None
            await objects.apply(client, kinds.AutoWasm, autowasm(), force=False)
            assert await objects.write_status(client, kinds.AutoWasm, first, {"phase": "Synced"}) is None
            assert "status" not in cluster.admin.get(kinds.AutoWasm, "aw", namespace="default")

    asyncio.run(scene())


def test_a_replaced_field_keeps_nothing_of_others(cluster):
    """What another manager added to a field is gone after its replacement, also where an apply leaves it."""

    async def scene() -> None:
        async with as_admin(cluster) as client:
            wanted = autowasm()
            await objects.apply(client, kinds.AutoWasm, wanted, force=False)
            stranger = {"spec": {"selector": {"matchLabels": {"extra": "yes"}}}}
            cluster.admin.patch(kinds.AutoWasm, "aw", stranger, namespace="default", patch_type=merge())
            applied = await objects.apply(client, kinds.AutoWasm, wanted, force=True)
            assert "extra" in applied["spec"]["selector"]["matchLabels"]
            replaced = await objects.replace(client, kinds.AutoWasm, applied, "spec", wanted["spec"])
            assert replaced["spec"]["selector"] == wanted["spec"]["selector"]

    asyncio.run(scene())


def merge():
    """The patch type that kubectl edit uses for custom resources."""
    from lightkube.types import PatchType

    return PatchType.MERGE


def test_a_stale_uid_is_refused(cluster):
    """An apply that is bound to one object does not write another one of its name."""

    async def scene() -> None:
        async with as_admin(cluster) as client:
            first = await objects.apply(client, kinds.AutoWasm, autowasm(), force=False)
            await objects.delete(client, kinds.AutoWasm, KEY)
            await objects.apply(client, kinds.AutoWasm, autowasm(), force=False)
            bound = autowasm(image="registry.example/other:v1")
            bound["metadata"]["uid"] = first["metadata"]["uid"]
            with pytest.raises(errors.Retry) as caught:
                await objects.apply(client, kinds.AutoWasm, bound, force=True)
            assert caught.value.reason == "Conflict"

    asyncio.run(scene())


def _put_secret(cluster, name, kind, data):
    encoded = {field: base64.b64encode(text.encode()).decode() for field, text in data.items()}
    obj = Secret(metadata=ObjectMeta(name=name, namespace="default"), data=encoded, type=kind)
    return cluster.admin.apply(obj, force=True)


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        ("", None, "SecretNotFound"),
        ("Opaque", {"username": "u"}, "BadSecret"),
        ("kubernetes.io/basic-auth", {"password": "p"}, "BadSecret"),
        ("kubernetes.io/tls", {"tls.crt": "", "tls.key": ""}, "BadSecret"),
    ],
    ids=["missing", "half", "nameless", "tls"],
)
def test_secrets_that_are_of_no_use(cluster, kind, data, reason):
    """A pull secret that is missing or of another type is named, with what is wrong."""
    name = f"useless-{kind.rpartition('/')[2].lower() or 'absent'}"

    async def scene() -> None:
        if data is not None:
            _put_secret(cluster, name, kind, data)
        async with as_admin(cluster) as client:
            with pytest.raises(errors.Final) as caught:
                await secrets.PullSecrets(client).docker_config("default", name, "registry.example.com")
            assert (caught.value.reason, caught.value.side) == (reason, "cluster")
            assert f"default/{name}" in str(caught.value)

    asyncio.run(scene())


LOGIN = {"username": "u", "password": "p:w"}


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("dockerconfigjson", {".dockerconfigjson": json.dumps({"auths": {"registry.example.com": LOGIN}})}),
        ("dockercfg", {".dockercfg": json.dumps({"https://registry.example.com": LOGIN})}),
        ("basic-auth", LOGIN),
    ],
)
def test_pull_secrets(cluster, kind, data):
    """Whatever type a pull secret has, user name and password for the registry come out of it."""

    async def scene() -> Credentials | None:
        _put_secret(cluster, f"good-{kind}", f"kubernetes.io/{kind}", data)
        async with as_admin(cluster) as client:
            found = secrets.PullSecrets(client)
            config = await found.docker_config("default", f"good-{kind}", "registry.example.com")
            return from_dockerconfigjson(config, "registry.example.com/filters/a")

    assert asyncio.run(scene()) == Credentials("u", "p:w")


def test_versions_of_secrets(cluster):
    """A Secret's version changes when it is made, edited and deleted, and at no other time."""

    async def scene() -> list[str]:
        key, kind = Key("default", "turning"), "kubernetes.io/basic-auth"
        async with as_admin(cluster) as client:
            found = secrets.PullSecrets(client)
            assert found.seen(key) is None
            versions = [await found.version(key)]
            for password in ("p", "p", "q"):
                _put_secret(cluster, key.name, kind, {"username": "u", "password": password})
                versions.append(await found.version(key))
            cluster.admin.delete(Secret, key.name, namespace=key.namespace)
            versions.append(await found.version(key))
            assert found.seen(key) == versions[-1]
            return versions

    absent, first, same, second, gone = asyncio.run(scene())
    assert absent == gone == secrets.ABSENT
    assert first == same
    assert len({absent, first, second}) == 3


def test_tokens_are_judged_by_audience(cluster):
    """A token proves its ServiceAccount for the audience it was made for, and nothing for another."""

    async def scene() -> None:
        cluster.admin.create(ServiceAccount(metadata=ObjectMeta(name="caller", namespace="default")))
        token = cluster.token("default", "caller", "us")
        async with as_admin(cluster) as client:
            assert await tokenreview.user_of(client, token, "us") == "system:serviceaccount:default:caller"
            assert await tokenreview.user_of(client, token, "others") is None
            assert await tokenreview.user_of(client, "nonsense", "us") is None

    asyncio.run(scene())


def test_a_token_that_was_replaced(cluster):
    """A kubeconfig whose token ran out and was replaced in the file goes on, for calls and for watches."""

    async def scene() -> None:
        path = cluster.admin_kubeconfig()
        good = path.read_text()
        path.write_text(good.replace(apiserver.ADMIN_TOKEN, "run-out"))
        async with connection.connect(path) as client:
            with pytest.raises(errors.Retry) as caught:
                await objects.apply(client, kinds.AutoWasm, autowasm(), force=False)
            assert caught.value.reason == "Unauthorized"
            path.write_text(good)
            await objects.apply(client, kinds.AutoWasm, autowasm(), force=False)
            it = Followed(client)
            await it.until(lambda it: KEY in it.watch.objects)
            await it.stop()

    asyncio.run(scene())


def test_no_rights_is_final(cluster):
    """What RBAC forbids is final, and says what was tried."""

    async def scene() -> None:
        cluster.admin.create(ServiceAccount(metadata=ObjectMeta(name="nobody", namespace="default")))
        async with connection.connect(cluster.kubeconfig("default", "nobody")) as client:
            with pytest.raises(errors.Final) as caught:
                await objects.apply(client, kinds.AutoWasm, autowasm(), force=False)
            assert caught.value.reason == "Forbidden"
            assert "default/aw" in str(caught.value)

    asyncio.run(scene())


def test_what_the_schema_refuses_is_final(cluster):
    """An object that the API server's validation refuses is not tried again."""

    async def scene() -> None:
        wrong = autowasm()
        wrong["spec"]["filter"]["applyPorts"] = [0]
        async with as_admin(cluster) as client:
            with pytest.raises(errors.Final) as caught:
                await objects.apply(client, kinds.AutoWasm, wrong, force=False)
            assert caught.value.reason == "Rejected"

    asyncio.run(scene())
