"""The kind mesh: a context manager over one or more clusters, with their registries, on a container engine."""

from __future__ import annotations

import contextlib
import hashlib
import json
from types import TracebackType
from urllib.parse import urlsplit

from harness import events
from harness.images.value import Images
from harness.meshes.cluster import Cluster
from harness.meshes.kind import registries, removal, state, tools
from harness.meshes.kind.bringup import BringUp, Site
from harness.meshes.kind.nodes import Nodes
from harness.meshes.kind.options import CONFIGURATION, PREFIX, Options, cluster_names
from harness.meshes.phases import Phases
from harness.services.engine import Engine
from harness.toolchain.binaries import Toolchain
from harness.toolchain.lacking import Lacking


class Kind:
    """A context manager: inside, the meshes of its clusters are there with their applications; after, nothing of it is.

    A mesh that is to be kept stays until ``harness down``, and is used by the next run of the same configuration.
    The engine is the caller's: it is not given back here.

    Raises (entering): Broken where a part does not come up, Lacking where this machine does not allow it.
    """

    def __init__(
        self, toolchain: Toolchain, engine: Engine, images: Images, options: Options, emit: events.Emit
    ) -> None:
        self._toolchain = toolchain
        self._engine = engine
        self._images = images
        self._options = options
        self._emit = emit
        self._stack = contextlib.ExitStack()
        self._place: state.Place | None = None
        self._meshes: list[Cluster] = []

    def __enter__(self) -> list[Cluster]:
        """Bring it up; the mesh of each cluster, entered."""
        _on_this_machine(self._engine)
        removal.sweep(self._engine, self._toolchain, self._say)
        mark = self._mark()
        name = self._options.name or f"{PREFIX}{mark}"
        self._place = self._stack.enter_context(state.claimed(name, exact=bool(self._options.name)))
        try:
            self._meshes = self._bring_up(self._place, self._record(self._place, mark))
        except BaseException:
            self._leave(self._place)
            raise
        return self._meshes

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take it down, or let it stay."""
        assert self._place
        try:
            for mesh in self._meshes:
                mesh.__exit__(kind, error, trace)
            if self._options.keep:
                self._place.keep()
        finally:
            self._leave(self._place)

    def _record(self, place: state.Place, mark: str) -> state.Record:
        """The record of the kept mesh of this name where it can be used, else of a new one; what cannot be goes."""
        found = place.read()
        usable = found and found.mark == mark and found.host == self._engine.host
        if usable and found and all(nodes.runs() for nodes in self._nodes(place, found)):
            self._say(f"Using the mesh {place.name}, which was kept. `harness down` removes it.")
            return found
        if found:
            removal.remove(place, self._engine, self._toolchain, self._say)
        ports, credentials = registries.fresh()
        clusters = cluster_names(place.name, self._options.clusters)
        removal.refuse_strangers(self._engine, place.name, clusters)
        record = state.Record(self._engine.host, self._engine.ours, mark, clusters, ports, credentials)
        place.write(record)
        return record

    def _bring_up(self, place: state.Place, record: state.Record) -> list[Cluster]:
        phases, programs = Phases(self._emit), tools.Tools()
        site = Site(place.name, record, self._engine, self._images, self._toolchain)
        clusters = [
            Nodes(name, place.cluster(name), self._engine, self._toolchain) for name in record.clusters
        ]
        try:
            return BringUp(site, clusters, phases, programs).run(self._emit)
        except BaseException:
            programs.end()
            for nodes in clusters:
                tools.end_written(nodes.folder / "kind.pid")
            phases.close(wait=True)  # or a part goes on making what is removed next
            raise
        finally:
            phases.close()

    def _nodes(self, place: state.Place, record: state.Record) -> list[Nodes]:
        return [Nodes(name, place.cluster(name), self._engine, self._toolchain) for name in record.clusters]

    def _leave(self, place: state.Place) -> None:
        """Remove the mesh unless it is to stay, and give its name free."""
        try:
            record = place.read()
            if record and not record.kept:
                removal.remove(place, self._engine, self._toolchain, lambda _: None)
        finally:
            self._stack.close()

    def _mark(self) -> str:
        """Eight hexadecimal digits for all that clusters are made of, but for what can be changed in them later."""
        images = self._images
        parts = [
            *(
                CONFIGURATION,
                images.origin,
                self._node(),
                images.pilot_hub,
                images.pilot_tag,
                images.registry,
            ),
            *(self._toolchain.version("kind"), self._options.clusters),
            *(self._engine.host, str(state.root())),  # others with a cache of their own may share the engine
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]

    def _node(self) -> str:
        """The node image by its content, where it is on the engine."""
        for image in self._engine.client.images.list(name=self._images.node) if self._images.node else ():
            return str(image.id)
        return self._images.node

    def _say(self, message: str) -> None:
        self._emit(events.Notice(message))


def _on_this_machine(engine: Engine) -> None:
    """Clusters and registries are published on a loopback: it must be this machine's. Raises Lacking."""
    place = urlsplit(engine.host)
    if place.scheme not in {"unix", "npipe"} and place.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise Lacking(
            f"kind: the container engine must be on this machine: it is at {engine.host}",
            remedy="unset DOCKER_HOST or choose another docker context, or use --mesh existing",
        )
