"""The local mesh as scenarios see it: ``harness.mesh.Mesh`` over real programs, in the namespaces around it."""

from __future__ import annotations

from collections.abc import Mapping
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
)
from harness.meshes import push
from harness.meshes.local import bringup, collect, namespaces, topology
from harness.meshes.local.bringup import Options
from harness.meshes.local.controlplane import ControlPlane
from harness.meshes.local.parts import Parts
from harness.meshes.phases import Phases
from harness.observation import Fault, Pushed, Release, Response, Rollout
from harness.services import load, process, traffic
from harness.services.kube import Api
from harness.toolchain.binaries import Toolchain

_FOLDER: Final = Path("/run/mesh")  # a tmpfs of this mount namespace
_FIRST: Final = RequestWish("details", topology.DETAILS.ports["http"], path="/details/0", timeout=1.0)
_STOP_SECONDS: Final = 0.5


class Local:
    """A context manager: the mesh is up inside, and its processes are gone after.

    Raises (entering): Broken where a part does not come up, or this process is not in namespaces of its own.
    Raises (methods): as ``harness.mesh.Mesh`` says; Broken names a process that has died.
    """

    name = "local"
    capabilities = frozenset(
        {"traffic", "kubernetes", "envoy", "istio", "registry", "private-registry", "load"}
    )

    def __init__(self, toolchain: Toolchain, emit: events.Emit, options: Options | None = None) -> None:
        self._toolchain = toolchain
        self._emit = emit
        self._options = options or Options()
        self._parts = Parts(_FOLDER)
        self._control: ControlPlane | None = None

    def __enter__(self) -> Self:
        """Bring it up."""
        if not namespaces.inside():
            raise Broken("local mesh: must run inside of namespaces of its own, runs on the host")
        phases = Phases(self._emit)
        try:
            _FOLDER.mkdir(mode=0o700)
            bring_up = bringup.BringUp(self._toolchain, self._options, self._parts, phases)
            self._control = bring_up.run(self._first_request)
        except BaseException:
            self._end()
            raise
        finally:
            phases.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take it down."""
        self._end()

    @property
    def bindings(self) -> Mapping[str, str]:
        """What scenarios may name."""
        user, password = self._parts.credentials
        return {
            "registry": f"{topology.REGISTRY}:{self._options.registry_port}",
            "private_registry": f"{topology.PRIVATE_REGISTRY}:{self._options.private_registry_port}",
            "registry_user": user,
            "registry_password": password,
            "namespace": topology.DETAILS.namespace,
        }

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig with all rights, for use inside of the mesh."""
        return self._parts.folder / "keys" / "admin.kubeconfig"

    def push(self, wish: PushWish) -> Pushed:
        """See Mesh."""
        self.check()
        return push.push(wish)

    def apply(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """See Mesh."""
        return self._api.apply(manifest)

    def delete(self, target: ObjectRef) -> bool:
        """See Mesh."""
        return self._api.delete(target)

    def get(self, target: ObjectRef) -> Mapping[str, Any] | None:
        """See Mesh."""
        return self._api.get(target)

    def request(self, wish: RequestWish) -> Response:
        """See Mesh."""
        self.check()
        return traffic.once(
            self._parts.namespaces[_workload(wish.source).name].connect, _workload(wish.to).address, wish
        )

    def load(self, wish: LoadWish) -> Load:
        """See Mesh."""
        self.check()
        source, target = _workload(wish.request.source), _workload(wish.request.to)
        return load.Running(self._parts.namespaces[source.name].connect, target.address, wish)

    def restart(self, wish: RestartWish) -> Rollout:
        """See Mesh; nothing runs pods here."""
        del wish
        raise Refused("local has no pods: its workloads are processes that stay")

    def helm(self, wish: HelmWish) -> Release:
        """See Mesh; programs are started as they are here."""
        del wish
        raise Refused("local has no release of the wasmer chart: its programs run as processes")

    def fault(self, wish: FaultWish) -> Fault:
        """See Mesh; nothing here would start a process again."""
        del wish
        raise Refused("local has no nodes: no kubelet starts again what was killed, and nothing is scheduled")

    def collect(self, folder: Path) -> None:
        """See Mesh."""
        assert self._control
        collect.collect(folder, self._parts, self._control.api)

    def check(self) -> None:
        """Raise Broken where a process of the mesh has died."""
        for one in self._parts.processes:
            one.check()

    @property
    def _api(self) -> Api:
        self.check()
        assert self._control
        return self._control.api

    def _first_request(self) -> bool:
        return self.request(_FIRST).status == 200

    def _end(self) -> None:
        if self._control:
            self._control.api.close()
        process.stop_all(self._parts.processes, _STOP_SECONDS)


def _workload(name: str) -> topology.Workload:
    for workload in topology.WORKLOADS:
        if workload.name == name:
            return workload
    names = ", ".join(workload.name for workload in topology.WORKLOADS)
    raise Refused(f"workload {name}: must be one of {names}")
