"""Removes kind meshes of ours, and says each thing that went: clusters, registries, the network where it is ours.

What is a mesh's is known by its record and by labels; nothing else of an engine is touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, Final

from docker.errors import APIError, DockerException, NotFound

from harness.images.value import LABEL
from harness.mesh import Broken
from harness.meshes.kind import network, state
from harness.meshes.kind.nodes import Nodes
from harness.services.engine import Engine
from harness.toolchain.binaries import Toolchain
from harness.toolchain.lacking import Lacking

Say = Callable[[str], None]
_GONE_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.1
KIND_LABEL: Final = "io.x-k8s.kind.cluster"  # kind's own, on every node


def remove(place: state.Place, engine: Engine, toolchain: Toolchain, say: Say) -> None:
    """Remove a mesh, whatever there is of it, and its folder last. For who holds its lock.

    Raises:
        Broken: something could not be removed; the record stays, so that it can be tried again.
    """
    record = place.read()
    clusters = record.clusters if record else ()
    try:
        with ThreadPoolExecutor() as pool:
            parts = [pool.submit(cluster, _nodes(place, name, engine, toolchain), say) for name in clusters]
            registries(engine, place.name, say)
            for part in parts:
                part.result()
        if network.leave(engine):
            say("removed network kind")
    except DockerException as error:
        raise Broken(f"mesh {place.name}: must be removed: {error}") from error
    place.forget()


def _nodes(place: state.Place, name: str, engine: Engine, toolchain: Toolchain) -> Nodes:
    return Nodes(name, place.cluster(name), engine, toolchain)


def cluster(nodes: Nodes, say: Say) -> None:
    """Remove one cluster, where it is there. Raises Broken."""
    if _labelled(nodes.engine, f"{KIND_LABEL}={nodes.name}"):
        nodes.delete()
        say(f"removed cluster {nodes.name}, its container and its volume")


def registries(engine: Engine, mesh: str, say: Say) -> None:
    """Remove the containers that carry a mesh's label. Raises Broken."""
    deadline = time.monotonic() + _GONE_SECONDS
    while found := _labelled(engine, f"{LABEL}={mesh}"):
        for container in found:
            if _remove(container):
                say(f"removed container {container.name}")
        if time.monotonic() > deadline:
            raise Broken(
                f"container {found[0].name}: must go within {_GONE_SECONDS:.0f} s: it is still there"
            )


def _remove(container: Any) -> bool:
    """Whether it is gone by us; False where somebody else removes it or has."""
    try:
        container.remove(force=True, v=True)
    except NotFound:
        return False
    except APIError as error:
        if error.status_code != HTTPStatus.CONFLICT:  # "removal is already in progress"
            raise
        time.sleep(_POLL_SECONDS)
        return False
    return True


def refuse_strangers(engine: Engine, mesh: str, clusters: Sequence[str]) -> None:
    """Raise Lacking where the engine has containers of these names that no record of ours knows."""
    labels = [f"{LABEL}={mesh}", *(f"{KIND_LABEL}={name}" for name in clusters)]
    found = [one.name for label in labels for one in _labelled(engine, label)]
    if found:
        raise Lacking(
            f"mesh {mesh}: its name must be free on the container engine: {', '.join(found)} is there",
            remedy="`harness down --all` removes what no record knows any more; or take another name",
        )


def _labelled(engine: Engine, label: str) -> list[Any]:
    return list(engine.client.containers.list(all=True, ignore_removed=True, filters={"label": label}))


def sweep(engine: Engine, toolchain: Toolchain, say: Say) -> None:
    """Remove what killed runs left on this engine: meshes that are nobody's and not kept. Raises Broken."""
    for name in state.names():
        with state.attempted(name) as place:
            record = place.read() if place else None
            if place and record and not record.kept and record.host == engine.host:
                say(f"A run that was killed left the mesh {name}:")
                remove(place, engine, toolchain, say)
