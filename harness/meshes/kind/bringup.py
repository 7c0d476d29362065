"""How a kind mesh comes up: what waits for what, everything else beside it. Each cluster is made beside the others.

registries ------------------------------------> wasmer chart
cluster --> istio's images, CRDs --> istiod --> applications (entered by the mesh of a cluster)
`-----> this checkout's images --------------^ --^
"""

from __future__ import annotations

from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Final

from harness import events
from harness.images.value import Images
from harness.mesh import Broken, Refused
from harness.meshes.cluster import Cluster, Settings
from harness.meshes.cluster.settings import Private
from harness.meshes.kind import injection, registries, releases, tools, trouble
from harness.meshes.kind.killing import Killing
from harness.meshes.kind.nodes import Nodes
from harness.meshes.kind.options import PRIVATE_REGISTRY, REGISTRY, SYSTEM
from harness.meshes.kind.registries import Registries
from harness.meshes.kind.state import Record
from harness.meshes.phases import Phases
from harness.services.engine import Engine
from harness.toolchain.binaries import Toolchain

_LOOK_SECONDS: Final = 0.3


@dataclass(frozen=True, slots=True)
class Site:
    """Where and of what a mesh is made."""

    mesh: str
    record: Record
    engine: Engine
    images: Images
    toolchain: Toolchain


class BringUp:
    """Starts everything; what was started is recorded by others beforehand."""

    def __init__(self, site: Site, clusters: list[Nodes], phases: Phases, programs: tools.Tools) -> None:
        self._site = site
        self._clusters = clusters
        self._phases = phases
        self._programs = programs

    def run(self, emit: events.Emit) -> list[Cluster]:
        """Bring all up; the meshes of its clusters, entered.

        Raises:
            Broken: a part did not come up; the first that failed is named.
        """
        start = self._phases.start
        served = start(self._registries)
        parts = [start(self._explained, nodes, served, emit) for nodes in self._clusters]
        served.result()
        return [part.result() for part in parts]

    def _registries(self) -> Registries:
        site = self._site
        with self._phases.phase("registries"):
            return registries.ensure(site.engine, site.mesh, site.images.registry, site.record)

    def _explained(self, nodes: Nodes, served: Future[Registries], emit: events.Emit) -> Cluster:
        """A cluster; where it does not come up, with what it says of itself: it is removed next."""
        try:
            return self._cluster(nodes, served, emit)
        except (Broken, Refused) as error:
            lines = "".join(f"\n    {line}" for line in trouble.told(nodes))
            if not lines or self._programs.over:
                raise
            raise Broken(f"{error}\n  in the cluster {nodes.name}:{lines}") from error

    def _cluster(self, nodes: Nodes, served: Future[Registries], emit: events.Emit) -> Cluster:
        images = self._site.images
        start = self._phases.start
        made = start(self._make, nodes)
        own = start(self._load, nodes, made, (images.autowasm, images.apps))
        others = tuple(name for name in images.load if name not in {images.autowasm, images.apps})
        istio = start(self._load, nodes, made, others)
        made.result()
        crds = start(self._install, nodes, releases.base(images), "Istio's CRDs")
        nodes.settle(self._programs)
        names = start(self._names, nodes)
        for part in (istio, crds, own):
            if part is not own or part.done():  # if it has failed already, nobody waits for istiod first
                part.result()
        system = start(self._system, nodes, served, own)
        self._install(nodes, releases.istiod(images), "istiod")
        own.result()
        with self._phases.phase("injection", f"of sidecars, in {nodes.name}"):
            injection.wait(nodes)
        names.result()
        mesh = self._mesh(nodes, emit)
        mesh.__enter__()
        system.result()
        return mesh

    def _make(self, nodes: Nodes) -> None:
        if not nodes.runs():
            with self._phases.phase("cluster", nodes.name):
                nodes.create(self._site.images.node)

    def _names(self, nodes: Nodes) -> None:
        with self._phases.phase("name service", f"CoreDNS of {nodes.name}"):
            nodes.serve_names(self._programs)

    def _load(self, nodes: Nodes, made: Future[None], images: tuple[str, ...]) -> None:
        """Begins while the control plane of a new cluster still starts."""
        while not made.done() and not nodes.takes_images():
            wait([made], _LOOK_SECONDS)
        made_or_not = made.exception() if made.done() else None
        if images and made_or_not is None:
            short = ", ".join(name.rpartition("/")[2].partition(":")[0] for name in images)
            with self._phases.phase("images", f"{short} into {nodes.name}"):
                nodes.load(images, self._programs)

    def _install(self, nodes: Nodes, release: releases.Release, detail: str) -> None:
        with self._phases.phase(
            release.name, detail if len(self._clusters) == 1 else f"{detail}, in {nodes.name}"
        ):
            releases.install(nodes, release, self._programs)

    def _system(self, nodes: Nodes, served: Future[Registries], own: Future[None]) -> None:
        aliases = served.result().host_aliases()
        own.result()
        self._install(nodes, releases.wasmer(self._site.images, aliases), "wasmer and the controller")

    def _mesh(self, nodes: Nodes, emit: events.Emit) -> Cluster:
        site = self._site
        open_, closed = site.record.ports
        settings = Settings(
            name="kind" if len(self._clusters) == 1 else f"kind/{nodes.name}",
            kubeconfig=nodes.kubeconfig,
            context=nodes.context,
            apps_image=site.images.apps,
            registry=f"{REGISTRY}:{open_}",
            private=Private(f"{PRIVATE_REGISTRY}:{closed}", *site.record.credentials),
            system=SYSTEM,
            chart=releases.chart(),
            stay=True,  # it goes with the cluster, or is there for the next run
        )
        return Cluster(settings, site.toolchain, emit, Killing(nodes))
