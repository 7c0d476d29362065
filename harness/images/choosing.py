"""Chooses between released images and those made here, and sees that they are there."""

from __future__ import annotations

from harness import events
from harness.images import making, mesh, released, system
from harness.images.store import Store
from harness.images.value import Images, Origin, Wish
from harness.images.work import Work
from harness.services.engine import Engine
from harness.toolchain import binaries, cache


def ensure(engine: Engine, emit: events.Emit, origin: Wish) -> Images:
    """See ``harness.images.ensure``."""
    store = Store(engine)
    with Work(emit) as work:
        chosen = _choose(store, work, origin)
        return _released(store, work) if chosen == "released" else _built(store, work)


def _choose(store: Store, work: Work, wish: Wish) -> Origin:
    if wish != "auto":
        return wish
    if not store.missing(making.names().wanted()):
        return "built"  # they are there: no question is asked of the network
    said = store.registry_answers(released.REGISTRY)
    if said:
        line = said.splitlines()[0][:200]
        work.emit(
            events.Notice(f"images are made here: no image registry answers ({line}); --images chooses")
        )
        return "built"
    work.emit(events.Notice("released images are used: an image registry answers; --images chooses"))
    return "released"


def _built(store: Store, work: Work) -> Images:
    names = making.ensure(store, work)
    return Images(
        origin="built",
        node=names.node,
        pilot_hub=mesh.HUB,
        pilot_tag=names.mesh_tag,
        istio_values=mesh.values(mesh.HUB, names.mesh_tag, plain_envoy=True),
        istio_base_chart=binaries.istio_folder(mesh.BASE_CHART, work.emit),
        istiod_chart=binaries.istio_folder(mesh.ISTIOD_CHART, work.emit),
        autowasm=names.system.autowasm,
        apps=names.system.apps,
        registry=names.registry.name,
        load=(names.system.autowasm, names.system.apps),
    )


def _released(store: Store, work: Work) -> Images:
    named = system.names(released.PYTHON)
    if store.missing([released.REGISTRY]):
        with work.phase("pull registry", released.REGISTRY):
            store.pull(released.REGISTRY)
    if store.missing([named.autowasm, named.apps]):
        target = cache.root() / "images" / "build"
        with cache.locked(target, what="makes images"), cache.scratch(target) as scratch:
            with work.phase("pull python", released.PYTHON):
                store.pull(released.PYTHON)
            system.build(store, work, system.Base(released.PYTHON, released.PYTHON_VERSION), scratch)
    tag = released.istio_tag()
    return Images(
        origin="released",
        node=released.NODE,
        pilot_hub=released.ISTIO_HUB,
        pilot_tag=tag,
        istio_values=mesh.values(released.ISTIO_HUB, tag, plain_envoy=False),
        istio_base_chart=binaries.istio_folder(mesh.BASE_CHART, work.emit),
        istiod_chart=binaries.istio_folder(mesh.ISTIOD_CHART, work.emit),
        autowasm=named.autowasm,
        apps=named.apps,
        registry=released.REGISTRY,
        load=(named.autowasm, named.apps),
    )
