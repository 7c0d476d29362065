"""wasmer and the controller begin anew, as on the day of their installation: their programs and nothing they stored."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Final

from harness.mesh import Broken, ObjectRef
from harness.meshes.local import topology
from harness.meshes.local.parts import Parts
from harness.services.kube import Api
from harness.services.process import wait_until

_SECONDS: Final = 60.0
_SYSTEM: Final = (topology.CONTROLLER, topology.WASMER)


def reinstall(parts: Parts, api: Api, forget: Callable[[], None]) -> None:
    """Take all of it away, have what it wrote forgotten, and start it on empty disks.

    Raises:
        Broken: it does not go, or does not come up again.
    """
    pods = [pod for base in _SYSTEM for pod in parts.kubelet.of(base)]
    containers = [one for pod in pods for one in pod.containers]
    for one in containers:
        one.hold()
    _until("must be gone", lambda: not any(one.running or one.ready for one in containers))
    forget()
    _forget_statuses(api)
    for pod in pods:
        for kept in (parts.folder / pod.workload.name / "data").iterdir():
            shutil.rmtree(kept) if kept.is_dir() else kept.unlink()
    for one in containers:
        one.release()
    _until("must be ready", lambda: all(pod.ready for pod in pods))


def _forget_statuses(api: Api) -> None:
    for one in api.list("wasm.tcm.io/v1alpha1", "AutoWasm"):
        metadata = one["metadata"]
        target = ObjectRef("wasm.tcm.io/v1alpha1", "AutoWasm", metadata["namespace"], metadata["name"])
        empty = dict.fromkeys(one.get("status") or {})
        if empty:
            api.patch_status(target, empty)


def _until(what: str, condition: Callable[[], bool]) -> None:
    if not wait_until(condition, _SECONDS):
        raise Broken(f"installation: {what} within {_SECONDS:g} s")
