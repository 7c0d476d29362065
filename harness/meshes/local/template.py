"""The state of a cluster right after its installation, kept as an etcd data folder and reused by copy.

Istio's and AutoWasm's CRDs, namespaces, rights, Services, Pods and the EndpointSlices that the endpointslice
controller made for them: an API server that starts on it serves them at once. It holds no keys and no tokens. The key
of a template is the versions of the programs and every manifest in it, so a change of any makes a new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from harness.mesh import Broken
from harness.meshes.local import controlplane, install, objects, topology
from harness.meshes.phases import Phases
from harness.services import kube, process
from harness.services.kube import Api, Object
from harness.toolchain import cache
from harness.toolchain.binaries import Toolchain

_FORMAT: Final = "2"
_ETCD: Final = "etcd"
_KINDS: Final = "kinds.json"
_PROGRAMS: Final = ("etcd", "kube-apiserver", "kube-controller-manager")
_CRDS: Final = "manifests/charts/base/files/crd-all.gen.yaml"
_KEPT: Final = 4
_ACCEPTED_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.05
_BLOCK: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Kind:
    """A custom resource in the version that its objects are stored in."""

    api_version: str
    kind: str


@dataclass(frozen=True, slots=True)
class Template:
    """The folder of etcd's data, and the custom resources in it, AutoWasm's own first."""

    etcd: Path
    kinds: tuple[Kind, ...]


def ensure(toolchain: Toolchain, scratch: Path, phases: Phases) -> Template:
    """The template, made first where there is none. Only inside of a mesh's namespaces.

    Raises:
        Broken: the cluster that it is made from does not start, or does not accept the objects.
    """
    place = cache.root() / "templates" / _key(toolchain)
    if not place.is_dir():
        with cache.locked(place, what="installing a cluster to copy"):
            if not place.is_dir():
                with phases.phase("template", "installing once, for all later starts"):
                    _make(toolchain, scratch, place)
    os.utime(place)
    kinds = tuple(Kind(*pair) for pair in json.loads((place / _KINDS).read_bytes()))
    return Template(place / _ETCD, kinds)


def copy(source: Path, target: Path) -> None:
    """Copy a folder, leaving holes where files have only zeros: a write-ahead log is preallocated with them."""
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(exist_ok=True, mode=0o700)
        else:
            _copy_file(path, place)


def _key(toolchain: Toolchain) -> str:
    total = hashlib.sha256(_FORMAT.encode())
    for name in _PROGRAMS:
        total.update(f"{name} {toolchain.version(name)}\n".encode())
    total.update(toolchain.istio_source(_CRDS).read_bytes())
    total.update(
        json.dumps([*_objects(), *map(objects.pod_status, topology.WORKLOADS)], sort_keys=True).encode()
    )
    return total.hexdigest()[:24]


def _objects() -> list[Object]:
    return [*objects.base(), *install.manifests(), *objects.workloads(), objects.mesh_policy()]


def _make(toolchain: Toolchain, scratch: Path, place: Path) -> None:
    started: list[process.Process] = []

    def keep(one: process.Process) -> process.Process:
        started.append(one)
        return one

    try:
        who = controlplane.identity(scratch / "keys")
        control = controlplane.start(toolchain, scratch, lambda: who, keep)
        controlplane.start_controllers(toolchain, scratch, who, keep)
        crds = _install(control.api, toolchain)
        control.api.close()
    finally:
        for one in reversed(started):  # etcd last, and by TERM: what it keeps is whole
            one.stop(grace=10)
    _save(scratch / "etcd", [_stored(crd) for crd in crds], place)
    shutil.rmtree(scratch)


def _install(api: Api, toolchain: Toolchain) -> list[Object]:
    own = _objects()
    crds = [one for one in own if one["kind"] == "CustomResourceDefinition"]
    crds += _documents(toolchain.istio_source(_CRDS))
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(api.apply, [*objects.base(), *crds]))
    _until("the CRDs must be served", lambda: all(_served(api, crd) for crd in crds))
    for one in own:
        api.apply(one)
    for workload in topology.WORKLOADS:
        if workload.pod:
            api.patch_status(kube.ref(objects.pod(workload)), objects.pod_status(workload))
    api.patch_status(kube.ref(objects.NODE), objects.node_status())
    _until("EndpointSlices must follow the Pods", lambda: _wanted_addresses() <= _addresses(api))
    return crds


def _stored(crd: Object) -> tuple[str, str]:
    spec = crd["spec"]
    version = next(version["name"] for version in spec["versions"] if version["storage"])
    return f"{spec['group']}/{version}", spec["names"]["kind"]


def _documents(path: Path) -> list[Object]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a megabyte of CRDs: 1 s, or 8 s in Python
    with path.open("rb") as file:
        return [document for document in yaml.load_all(file, Loader=loader) if document]


def _served(api: Api, crd: Object) -> bool:
    spec = crd["spec"]
    versions = [version["name"] for version in spec["versions"] if version["served"]]
    return all(api.serves(f"{spec['group']}/{version}", spec["names"]["kind"]) for version in versions)


def _wanted_addresses() -> set[str]:
    return {workload.address for workload in topology.WORKLOADS if workload.pod}


def _addresses(api: Api) -> set[str]:
    slices = api.list("discovery.k8s.io/v1", "EndpointSlice")
    ready = [end for one in slices for end in one["endpoints"] or () if end["conditions"].get("ready")]
    return {address for end in ready for address in end["addresses"]}


def _until(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _ACCEPTED_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise Broken(f"template: {what} within {_ACCEPTED_SECONDS:g} s, not yet so")
        time.sleep(_POLL_SECONDS)


def _save(source: Path, kinds: list[tuple[str, str]], place: Path) -> None:
    """Keep it, and the most recently used others: a crash leaves it whole or absent."""
    with cache.scratch(place) as made:
        whole = made / "template"
        copy(source, whole / _ETCD)
        (whole / _KINDS).write_text(json.dumps(kinds))
        for path in whole.rglob("*"):
            _sync(path)
        whole.rename(place)
        _sync(place.parent)
    others = sorted(
        (one for one in place.parent.iterdir() if one.is_dir()), key=lambda one: -one.stat().st_mtime
    )
    for old in others[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def _copy_file(source: Path, target: Path) -> None:
    with source.open("rb") as reading, target.open("wb") as writing:
        size = os.fstat(reading.fileno()).st_size
        writing.truncate(size)
        for offset, length in _extents(reading.fileno(), size):
            for start in range(offset, offset + length, _BLOCK):
                data = os.pread(reading.fileno(), min(_BLOCK, offset + length - start), start)
                if data.count(0) != len(data):
                    os.pwrite(writing.fileno(), data, start)


def _extents(handle: int, size: int) -> Iterator[tuple[int, int]]:
    """The parts of a file that are no holes: offset and length."""
    end = 0
    while end < size:
        try:
            start = os.lseek(handle, end, os.SEEK_DATA)
        except OSError:  # ENXIO: only a hole is left
            return
        end = os.lseek(handle, start, os.SEEK_HOLE)
        yield start, end - start


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
