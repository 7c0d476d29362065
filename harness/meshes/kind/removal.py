"""Removes kind meshes of ours, and says each thing that went: clusters, registries, the network where it is ours.

What is a mesh's is known by its record and by labels; nothing else of an engine is touched.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from docker.errors import DockerException, NotFound

from harness.images.value import LABEL
from harness.mesh import Broken
from harness.meshes.kind import network, state
from harness.meshes.kind.nodes import Nodes
from harness.services.engine import Engine
from harness.toolchain.binaries import Toolchain

Say = Callable[[str], None]
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
    labelled = {"label": f"{KIND_LABEL}={nodes.name}"}
    if nodes.engine.client.containers.list(all=True, ignore_removed=True, filters=labelled):
        nodes.delete()
        say(f"removed cluster {nodes.name}, its container and its volume")


def registries(engine: Engine, mesh: str, say: Say) -> None:
    """Remove the containers that carry a mesh's label."""
    for container in engine.client.containers.list(
        all=True, ignore_removed=True, filters={"label": f"{LABEL}={mesh}"}
    ):
        with contextlib.suppress(NotFound):
            container.remove(force=True, v=True)
            say(f"removed container {container.name}")


def sweep(engine: Engine, toolchain: Toolchain, say: Say) -> None:
    """Remove what killed runs left on this engine: meshes that are nobody's and not kept. Raises Broken."""
    for name in state.names():
        with state.attempted(name) as place:
            record = place.read() if place else None
            if place and record and not record.kept and record.host == engine.host:
                say(f"A run that was killed left the mesh {name}:")
                remove(place, engine, toolchain, say)
