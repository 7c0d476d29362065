"""Takes down kind meshes of ours wherever they are, and our own engine once nothing is on it.

A mesh is where its record says: on an engine of the user's, or on our own, which is started again where it was killed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from docker.errors import DockerException

from harness import events
from harness.images.value import LABEL, OWNER
from harness.mesh import Broken
from harness.meshes.kind import network, removal, state
from harness.meshes.kind.nodes import Nodes
from harness.services import engine as engines
from harness.services.engine import Engine, asking, own
from harness.toolchain import binaries, cache
from harness.toolchain.lacking import Lacking

_OUR_NAME: Final = re.compile(r"autowasm-[0-9a-f]{8}(-\d+)?(-c\d+)?")


@dataclass(frozen=True, slots=True)
class Wish:
    """Which mesh (empty: all), and whether also those that a command uses, and those whose record is lost."""

    name: str = ""
    everything: bool = False


class Down:
    """One taking-down; ``say`` is told each thing that went."""

    def __init__(self, wish: Wish, say: Callable[[str], None], emit: events.Emit) -> None:
        self._wish = wish
        self._say = say
        self._emit = emit

    def run(self) -> None:
        """Take down what is wished.

        Raises:
            Broken: something could not be removed.
            Lacking: an engine or a program for it cannot be had.
        """
        engine_left = own.left()
        for name in state.names():
            if self._wish.name in {"", name}:
                self._mesh(name)
        if self._wish.everything:
            self._lost()
        if own.left() and not self._wish.name:
            self._own_engine()
        if engine_left and not own.left():
            self._say("ended our own container engine")

    def _mesh(self, name: str) -> None:
        with state.attempted(name) as place:
            if place is None and not self._wish.everything:
                self._say(f"left mesh {name}: a command uses it (--all takes it down all the same)")
                return
            whole = place or state.Place(state.root() / name)
            record = whole.read()
            if record is None:
                whole.forget()
                return
            with self._engine(record) as engine:
                removal.remove(whole, engine, self._toolchain(), self._say)
            self._say(f"removed mesh {name}")

    @contextmanager
    def _engine(self, record: state.Record) -> Iterator[Engine]:
        engine = engines.revive(self._emit) if record.ours else _connect(record)
        try:
            yield engine
        finally:
            engines.release(engine, self._emit)

    def _toolchain(self) -> binaries.Toolchain:
        return binaries.ensure(("kind", "kubectl"), self._emit)

    def _own_engine(self) -> None:
        engine = engines.revive(self._emit)
        kept = [one.name for one in engine.client.containers.list(all=True, ignore_removed=True)]
        engines.release(engine, self._emit)
        if kept:
            self._say(f"left our own container engine: {', '.join(kept)} is on it")
        elif own.left():
            self._say("left our own container engine: a command uses it")

    def _lost(self) -> None:
        """What labels and names show to be ours on the engine that answers, though no record says so."""
        engine = engines.answering()
        if engine is None:
            return
        try:
            for mesh in sorted(_meshes(engine)):
                removal.registries(engine, mesh, self._say)
            for name in sorted(_clusters(engine)):
                folder = cache.folder(cache.root() / "kind" / "lost")
                removal.cluster(Nodes(name, Path(folder), engine, self._toolchain()), self._say)
            if network.leave(engine):
                self._say("removed network kind")
        except DockerException as error:
            raise Broken(f"container engine: must do as it is asked: {error}") from error
        finally:
            engines.release(engine, self._emit)


def _connect(record: state.Record) -> Engine:
    silent = asking.ask(record.host)
    if silent:
        raise Lacking(
            f"mesh {record.clusters[0]}: its container engine must answer: {silent}",
            remedy=f"start it, or remove {state.root() / record.clusters[0]} where it has gone for good",
        )
    return engines.connect(record.host, ours=False)


def _meshes(engine: Engine) -> set[str]:
    containers = engine.client.containers.list(all=True, ignore_removed=True, filters={"label": LABEL})
    return {one.labels[LABEL] for one in containers} - {OWNER}


def _clusters(engine: Engine) -> set[str]:
    containers = engine.client.containers.list(
        all=True, ignore_removed=True, filters={"label": removal.KIND_LABEL}
    )
    names = {one.labels[removal.KIND_LABEL] for one in containers}
    return {name for name in names if _OUR_NAME.fullmatch(name)}
