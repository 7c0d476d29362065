"""A real cluster as scenarios see it: ``harness.mesh.Mesh`` over its API server and agents inside of it."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from harness import events
from harness.mesh import (
    Broken,
    FaultWish,
    HelmWish,
    Load,
    LoadWish,
    ObjectRef,
    PushWish,
    Refused,
    RequestWish,
    RestartWish,
    ScaleWish,
)
from harness.meshes import push
from harness.meshes.cluster import collect, objects
from harness.meshes.cluster.agents import Agent
from harness.meshes.cluster.faults import Faults, Node
from harness.meshes.cluster.programs import Helm, Kubectl
from harness.meshes.cluster.rollout import Deployments
from harness.meshes.cluster.settings import Settings
from harness.meshes.cluster.traffic import Place, places
from harness.observation import Fault, Pushed, Release, Response, Rollout, Scaled
from harness.services import kube, login
from harness.services.kube import Api
from harness.toolchain.binaries import Toolchain

_READY_SECONDS: Final = 120.0
_FIRST_SECONDS: Final = 60.0
_FIRST: Final = RequestWish("details", 9080, path="/details/0", timeout=2.0)
_KEPT_OUT: Final = ("ConnectionResetError", "RemoteDisconnected")
"""What a sidecar that takes nothing but mutual TLS does to others."""
_POLL_SECONDS: Final = 0.05
_GONE_SECONDS: Final = 180.0


class Cluster:
    """A context manager: the applications are there inside, and removed after.

    Istio must be there when it is entered; AutoWasm need not yet.

    Faults need a ``node``, which whoever made the cluster has.

    Raises (entering): Broken where an application does not come up, or the API server says no.
    Raises (methods): as ``harness.mesh.Mesh`` says.
    """

    def __init__(
        self, settings: Settings, toolchain: Toolchain, emit: events.Emit, node: Node | None = None
    ) -> None:
        self._settings = settings
        self._emit = emit
        self._kubectl = Kubectl(toolchain.path("kubectl"), settings)
        self._toolchain = toolchain
        self._node = node
        self._opened: Api | None = None

    @property
    def name(self) -> str:
        """What reports call it."""
        return self._settings.name

    @property
    def capabilities(self) -> frozenset[str]:
        """What scenarios may require of it."""
        return self._settings.capabilities | ({"faults"} if self._node else frozenset())

    @property
    def bindings(self) -> Mapping[str, str]:
        """What scenarios may name."""
        return self._settings.bindings

    @property
    def settings(self) -> Settings:
        """Which cluster it is."""
        return self._settings

    def __enter__(self) -> Self:
        """Bring the applications up."""
        self._opened = _open(self._settings)
        try:
            with self._phase("applications", f"{', '.join(app.name for app in objects.APPS)} in {self.name}"):
                self._deploy()
            with self._phase("first request", "from pod to pod"):
                self._wait_for_first()
        except Refused as error:
            self._end()
            raise Broken(f"applications: {error}") from error
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove them."""
        self._end()

    # ------------------------------------------------------------------ modules and objects

    def push(self, wish: PushWish) -> Pushed:
        """See Mesh."""
        return push.push(wish, own_login=self._settings.own_login)

    def apply(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """See Mesh."""
        return self._api.apply(manifest)

    def delete(self, target: ObjectRef) -> bool:
        """See Mesh."""
        return self._api.delete(target)

    def get(self, target: ObjectRef) -> Mapping[str, Any] | None:
        """See Mesh."""
        return self._api.get(target)

    # ------------------------------------------------------------------ traffic

    def request(self, wish: RequestWish) -> Response:
        """See Mesh."""
        place = self._place(wish.to)
        return self._agent(wish.source).request(place.address, place.fresh(wish))

    def load(self, wish: LoadWish) -> Load:
        """See Mesh."""
        place = self._place(wish.request.to)
        kept = dataclasses.replace(wish, request=place.addressed(wish.request))
        return self._agent(wish.request.source).load(place.address, kept, place.fresh(wish.request))

    # ------------------------------------------------------------------ changes

    def restart(self, wish: RestartWish) -> Rollout:
        """See Mesh. Refused for what the settings do not let be touched."""
        place = self._place(wish.workload)
        if place.namespace == self._settings.system and self._settings.chart is None:
            raise Refused(f"workload {wish.workload}: must belong to the harness, is this cluster's own")
        return Deployments(self._api).restart(place.namespace, wish)

    def scale(self, wish: ScaleWish) -> Scaled:
        """See Mesh; how many there are is its own business."""
        del wish
        raise Refused(f"{self.name}: the number of its replicas is changed by nobody here")

    def helm(self, wish: HelmWish) -> Release:
        """See Mesh."""
        if self._settings.chart is None:
            raise Refused(f"{self.name}: its release of the wasmer chart must not be touched")
        return Helm(self._toolchain.path("helm"), self._settings)(wish)

    def fault(self, wish: FaultWish) -> Fault:
        """See Mesh."""
        if self._node is None:
            raise Refused(f"{self.name}: its nodes must belong to the harness, they are this cluster's own")
        return Faults(self._api, self._settings, self._node)(wish)

    def collect(self, folder: Path) -> None:
        """See Mesh."""
        collect.collect(folder, self._settings, self._api, self._kubectl)

    # ------------------------------------------------------------------ up and down

    @property
    def _api(self) -> Api:
        assert self._opened is not None  # entered
        return self._opened

    def _agent(self, name: str) -> Agent:
        if name not in objects.AGENTS:
            raise Refused(f"workload {name}: must be one that sends, one of {', '.join(objects.AGENTS)}")
        return Agent(self._api, self._settings.namespace, name)

    def _place(self, name: str) -> Place:
        known = places(self._settings)
        if name not in known:
            raise Refused(f"workload {name}: must be one of {', '.join(known)}")
        return known[name]

    def _deploy(self) -> None:
        if self._node:  # a run that was killed may have left its nodes so
            Faults(self._api, self._settings, self._node).cordon(on=False)
        if self._settings.namespace_labels:
            self._api.apply(objects.namespace(self._settings))
        for one in objects.all_of(self._settings):
            self._api.apply(one)
        deployments, names = Deployments(self._api), [app.name for app in objects.APPS]
        deployments.wait(self._settings.namespace, names, _READY_SECONDS)
        injected = [app.name for app in objects.APPS if app.injected]
        if bare := deployments.without_sidecar(self._settings.namespace, injected):
            raise Broken(
                f"pod {bare[0]}: must have a sidecar, has none: label namespace {self._settings.namespace} as the"
                " injector of this Istio wants it (istio-injection=enabled, or istio.io/rev)"
            )

    def _wait_for_first(self) -> None:
        """Wait until the sidecars know each other, and the node knows the Service, which the outsider goes by."""
        deadline = time.monotonic() + _FIRST_SECONDS
        for wish in (_FIRST, dataclasses.replace(_FIRST, source=objects.OUTSIDER)):
            while not self._reached(wish.source, seen := self.request(wish)):
                if time.monotonic() > deadline:
                    found = seen.error or f"status {seen.status}: {seen.body[:256]!r}"
                    raise Broken(f"details: must answer {wish.source} within {_FIRST_SECONDS:g} s, {found}")
                time.sleep(_POLL_SECONDS)

    def _reached(self, source: str, seen: Response) -> bool:
        if source == objects.OUTSIDER and self._settings.strict:
            return seen.error.startswith(_KEPT_OUT)
        return seen.status == 200

    def _end(self) -> None:
        if self._opened is None:
            return
        try:
            if not self._settings.stay:
                self._remove()
        finally:
            self._opened.close()
            self._opened = None

    def _remove(self) -> None:
        if self._settings.temporary:
            with self._phase("clean-up", f"namespace {self._settings.namespace}"):
                self._api.delete(kube.ref(objects.namespace(self._settings)), _GONE_SECONDS)
            return
        for one in reversed(objects.all_of(self._settings)):
            self._api.delete(kube.ref(one), _GONE_SECONDS)

    @contextlib.contextmanager
    def _phase(self, name: str, detail: str) -> Iterator[None]:
        self._emit(events.PhaseStarted(name, detail))
        began = time.monotonic()
        yield
        self._emit(events.PhaseEnded(name, time.monotonic() - began, detail))


def _open(settings: Settings) -> Api:
    try:
        return Api(login.with_kubeconfig(settings.kubeconfig, settings.context))
    except login.BadKubeconfig as error:
        raise Broken(str(error)) from error
