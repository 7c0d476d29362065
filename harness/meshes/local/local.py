"""The local mesh as scenarios see it: ``harness.mesh.Mesh`` over real programs, in the namespaces around it."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Mapping
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
from harness.meshes.local import afresh, bringup, clocks, collect, namespaces, topology
from harness.meshes.local.bringup import Options, Up
from harness.meshes.local.faults import Faults
from harness.meshes.local.parts import Parts
from harness.meshes.local.replicas import Replicas
from harness.meshes.phases import Phases
from harness.observation import Fault, Pushed, Release, Response, Rollout, Scaled
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
        {
            *("traffic", "kubernetes", "envoy", "istio", "registry", "private-registry", "load"),
            *("faults", "parts", "replicas", *(["clock"] if clocks.library() else [])),
        }
    )

    def __init__(self, toolchain: Toolchain, emit: events.Emit, options: Options | None = None) -> None:
        self._toolchain = toolchain
        self._emit = emit
        self._options = options or Options()
        self._parts = Parts(_FOLDER)
        self._up: Up | None = None
        self._replicas: Replicas | None = None
        self._faults: Faults | None = None
        self._turns = itertools.count()

    def __enter__(self) -> Self:
        """Bring it up."""
        if not namespaces.inside():
            raise Broken("local mesh: must run inside of namespaces of its own, runs on the host")
        phases = Phases(self._emit)
        try:
            _FOLDER.mkdir(mode=0o700)
            bring_up = bringup.BringUp(self._toolchain, self._options, self._parts, phases)
            self._up = up = bring_up.run(self._first_request)
            self._replicas = Replicas.of(self._parts, self._toolchain, up.control.api, up.system)
            self._faults = Faults(self._parts, lambda: up.control.api)
            up.control.api.troubled = self._parts.kubelet.control_plane_troubled
            self._parts.kubelet.begin(lambda: up.control.api)
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
        """See Mesh; of several replicas each gets its turn."""
        self.check()
        connect = self._parts.namespaces[_workload(wish.source).name].connect
        return traffic.once(connect, self._address(_workload(wish.to)), wish)

    def load(self, wish: LoadWish) -> Load:
        """See Mesh; each connection goes to the next replica."""
        self.check()
        source, target = _workload(wish.request.source), _workload(wish.request.to)
        connect = self._parts.namespaces[source.name].connect

        def dial(address: tuple[str, int], timeout: float) -> socket.socket:
            return connect((self._address(target), address[1]), timeout)

        return load.Running(dial, target.address, wish)

    def scale(self, wish: ScaleWish) -> Scaled:
        """See Mesh."""
        self.check()
        assert self._replicas
        return self._replicas.scale(_workload(wish.workload), wish.replicas)

    def restart(self, wish: RestartWish) -> Rollout:
        """See Mesh; nothing runs pods here."""
        del wish
        raise Refused("local has no pods: its workloads are processes that stay")

    def helm(self, wish: HelmWish) -> Release:
        """See Mesh; programs are started as they are here."""
        del wish
        raise Refused("local has no release of the wasmer chart: its programs run as processes")

    def fault(self, wish: FaultWish) -> Fault:
        """See Mesh."""
        self.check()
        assert self._faults
        return self._faults(wish)

    def reinstall(self, forget: Callable[[], None]) -> None:
        """Have wasmer and the controller begin anew, after ``forget`` has removed what they wrote."""
        afresh.reinstall(self._parts, self._api, forget)

    def collect(self, folder: Path) -> None:
        """See Mesh."""
        assert self._up
        collect.collect(folder, self._parts, self._up.control.api)

    def check(self) -> None:
        """Raise Broken where a process of the mesh has died and no fault had brought that about."""
        watched = {one.process for one in self._parts.kubelet.containers()}
        for one in self._parts.processes:
            if one not in watched:
                one.check()
        self._parts.kubelet.check()

    @property
    def _api(self) -> Api:
        self.check()
        assert self._up
        return self._up.control.api

    def _address(self, base: topology.Workload) -> str:
        """A replica that is ready, another one each time; without any the first, as before a mesh is up."""
        ready = self._parts.kubelet.ready(base) or self._parts.kubelet.of(base)
        return ready[next(self._turns) % len(ready)].workload.address if ready else base.address

    def _first_request(self) -> bool:
        return self.request(_FIRST).status == 200

    def _end(self) -> None:
        self._parts.kubelet.end()
        if self._up:
            self._up.control.api.close()
        process.stop_all(self._parts.processes, _STOP_SECONDS)


def _workload(name: str) -> topology.Workload:
    for workload in topology.WORKLOADS:
        if workload.name == topology.NAMES.get(name, name):
            return workload
    names = ", ".join(workload.name for workload in topology.WORKLOADS)
    raise Refused(f"workload {name}: must be one of {names}")
