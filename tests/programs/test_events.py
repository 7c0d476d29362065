"""Events against a real API server: what people read about an object, and what never hinders anybody."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from lightkube import generic_resource
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Event as CoreEvent
from lightkube.resources.core_v1 import Namespace, ServiceAccount

from autowasm.kube import connection, events
from autowasm.kube.events import News, Recorder
from tests.programs import apiserver

pytestmark = pytest.mark.programs

Event = generic_resource.create_namespaced_resource("events.k8s.io", "v1", "Event", "events")
NEWS = News("RolledOut", "sidecars are told to run v1", "Program", warning=False)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """An API server."""
    with apiserver.running(tmp_path_factory.mktemp("cluster")) as (cluster, _):
        yield cluster


@pytest.fixture
def namespace(cluster, request):
    """A namespace of the test's own."""
    name = request.node.name.replace("_", "-")[:60].strip("-")
    cluster.admin.create(Namespace(metadata=ObjectMeta(name=name)))
    return name


def about(namespace: str, name: str = "hello", uid: str = "some-uid") -> dict:
    """An object as a watch has it."""
    return {
        "apiVersion": "wasm.tcm.io/v1alpha1",
        "kind": "AutoWasm",
        "metadata": {"namespace": namespace, "name": name, "uid": uid, "resourceVersion": "7"},
    }


def found(cluster, namespace: str) -> list:
    """The Events of a namespace."""
    return list(cluster.admin.list(Event, namespace=namespace))


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time now."""
        return self.now


@contextlib.asynccontextmanager
async def recording(kubeconfig, clock=None):
    """A recorder that writes in the background."""
    async with connection.connect(kubeconfig) as client:
        recorder = Recorder(client, "autowasm-controller", "host_1", clock or Clock())
        task = asyncio.create_task(recorder.run())
        try:
            yield recorder
        finally:
            assert not task.done()
            task.cancel()
            await asyncio.wait({task})


async def until(condition):
    """Wait for the condition."""
    await asyncio.to_thread(apiserver.converge, condition)


def test_an_event_is_what_describe_shows(cluster, namespace):
    """It names the object as kubectl looks for it, who reports it, and what was done."""

    async def scene() -> None:
        async with recording(cluster.admin_kubeconfig()) as recorder:
            recorder.tell(about(namespace), NEWS)
            await until(lambda: found(cluster, namespace))

    asyncio.run(scene())
    fields = {"involvedObject.name": "hello", "involvedObject.uid": "some-uid"}
    (seen,) = cluster.admin.list(CoreEvent, namespace=namespace, fields=fields)
    assert (seen.type, seen.reason, seen.message, seen.action) == (
        "Normal",
        NEWS.reason,
        NEWS.note,
        NEWS.action,
    )
    assert (seen.involvedObject.kind, seen.involvedObject.apiVersion) == ("AutoWasm", "wasm.tcm.io/v1alpha1")
    assert (seen.reportingComponent, seen.reportingInstance) == ("autowasm-controller", "host_1")


def test_the_same_again_is_a_count(cluster, namespace):
    """The same words about the same object are one Event that counts; after a while they are a new one."""

    async def scene() -> None:
        clock = Clock()
        async with recording(cluster.admin_kubeconfig(), clock) as recorder:
            for _ in range(3):
                recorder.tell(about(namespace), NEWS)
            await until(
                lambda: [(e.get("series") or {}).get("count") for e in found(cluster, namespace)] == [3]
            )
            clock.now += events.SAME_SECONDS
            recorder.tell(about(namespace), NEWS)
            await until(lambda: len(found(cluster, namespace)) == 2)

    asyncio.run(scene())


def test_one_that_the_server_forgot_is_written_anew(cluster, namespace):
    """An Event that is gone when its words are said again comes back."""

    async def scene() -> None:
        async with recording(cluster.admin_kubeconfig()) as recorder:
            recorder.tell(about(namespace), NEWS)
            await until(lambda: found(cluster, namespace))
            cluster.admin.delete(Event, found(cluster, namespace)[0].metadata.name, namespace=namespace)
            recorder.tell(about(namespace), NEWS)
            await until(lambda: found(cluster, namespace))

    asyncio.run(scene())


def test_a_flood_about_one_object_is_cut(cluster, namespace):
    """One object gets so many Events and no more; another one still gets its own."""

    async def scene() -> None:
        async with recording(cluster.admin_kubeconfig()) as recorder:
            for number in range(events.BURST * 3):
                recorder.tell(about(namespace), News("Reason", f"note {number}", "Act", warning=True))
            recorder.tell(about(namespace, "other", "other-uid"), NEWS)
            await until(lambda: any(e["regarding"]["name"] == "other" for e in found(cluster, namespace)))

    asyncio.run(scene())
    assert len(found(cluster, namespace)) == events.BURST + 1


def test_no_right_to_write_hinders_nobody(cluster, namespace):
    """Where RBAC forbids Events, telling goes on and fails for nobody; a note of any length is cut."""
    cluster.admin.create(ServiceAccount(metadata=ObjectMeta(name="nobody", namespace=namespace)))
    long = News("Long", "n" * 5000, "Act", warning=True)

    async def scene() -> None:
        async with recording(cluster.kubeconfig(namespace, "nobody")) as recorder:
            for _ in range(events.BURST):
                recorder.tell(about(namespace), NEWS)
            await until(recorder._waiting.empty)
        async with recording(cluster.admin_kubeconfig()) as recorder:
            recorder.tell(about(namespace, "n" * 253), long)
            await until(lambda: found(cluster, namespace))

    asyncio.run(scene())
    assert [len(event["note"]) for event in found(cluster, namespace)] == [events.NOTE_CHARS]
