"""What of the images made here is there, in the engine and in the cache folder, and taking away what is not of use."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import events
from harness.images import checkout, making, rootfs, wheels
from harness.images.store import Kept, Store
from harness.toolchain import cache


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that is kept: its name, where, its size in bytes, and whether the next cluster would use it."""

    name: str
    place: str
    size: int
    current: bool
    image: Kept | None = None
    path: Path | None = None


def found(store: Store) -> list[Thing]:
    """Everything of ours, images first. Raises Lacking where the engine does not answer."""
    return [*_images(store), *_files()]


def _images(store: Store) -> Iterator[Thing]:
    names = making.names()
    current = {*names.wanted(), names.python.name}
    for kept in store.ours():
        yield Thing(kept.name, "engine", kept.size, kept.name in current, image=kept)


def _files() -> Iterator[Thing]:
    folder = cache.root() / "images"
    kept = wheels.key(checkout.dependencies())
    for pattern in ("debian-*.tar", "wheels-*", "pip-*"):
        for path in sorted(folder.glob(pattern)):
            if not path.name.endswith((".lock", ".log")):
                live = path == rootfs.place() or path.name.endswith(kept) or path.name.startswith("pip-")
                yield Thing(path.name, "cache folder", _size(path), live, path=path)


def _size(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(each.lstat().st_size for each in files)


def prune(store: Store, emit: events.Emit, *, everything: bool) -> list[Thing]:
    """Take away what no cluster of this checkout would use, or everything; returns what went. Raises Lacking.

    An image that a container runs stays, and that is told.
    """
    gone = []
    with cache.locked(cache.root() / "images" / "build", what="prunes images", waiting=_waiting(emit)):
        for thing in found(store):
            if thing.current and not everything:
                continue
            why = _remove(store, thing)
            if why:
                emit(events.Notice(f"{thing.name} stays: {why}", "warning"))
            else:
                gone.append(thing)
    return gone


def _waiting(emit: events.Emit) -> making.Told:
    return lambda owner: emit(events.Notice(f"images are in use by another run: waiting for {owner}"))


def _remove(store: Store, thing: Thing) -> str:
    if thing.image:
        return store.remove(thing.image)
    assert thing.path
    try:
        shutil.rmtree(thing.path) if thing.path.is_dir() else thing.path.unlink()
    except OSError as error:
        return error.strerror or str(error)
    return ""
