"""Puts the controller together and runs it until it is told to stop."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import lightkube
import uvicorn

from autowasm import limits, serving
from autowasm.controller import leader, server
from autowasm.controller.act import Actor
from autowasm.controller.checks import Checks
from autowasm.controller.election import LEASE_SECONDS, Election
from autowasm.controller.metrics import Metrics
from autowasm.controller.modules import Modules, Sources
from autowasm.controller.observe import Observer
from autowasm.controller.occasions import Occasion
from autowasm.controller.rollout import Rollout
from autowasm.controller.rotations import Rotations
from autowasm.controller.sharing import Sharing
from autowasm.controller.sidecars import sidecars
from autowasm.controller.sidecars.journal import Journal
from autowasm.controller.sidecars.scrape import Scraper
from autowasm.controller.turns import Parts, Turns
from autowasm.controller.wanted import Wanted
from autowasm.controller.wasmers import Wasmers
from autowasm.controller.workers import Watches, Workers
from autowasm.digest import Digest
from autowasm.istio import names
from autowasm.istio.envoyfilter import Install
from autowasm.kube import connection, kinds, tokenreview
from autowasm.kube.events import News, Recorder
from autowasm.kube.names import Key, Object
from autowasm.kube.secrets import PullSecrets
from autowasm.kube.watch import Watch
from autowasm.net import session
from autowasm.registry.client import Registry
from autowasm.store.blobs import Blobs, Room

_log = logging.getLogger(__name__)

_GRACE_SECONDS: Final = 25
"""How long transfers under way may take after SIGTERM: less than the 30 s after which a kubelet kills."""

_INSIDE_SECONDS: Final = 5.0
"""Time-out of a connection to a wasmer, and of each silence in a transfer."""

_JOURNAL: Final = "fetches.jsonl"
"""The file, in the folder of the data, of who fetched what."""

_KEEP_ALIVE_SECONDS: Final = 75
"""How long an idle connection of a wasmer stays open."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says."""

    kubeconfig: Path | None
    data: Path
    install: Install
    ca_file: Path | None = None
    wasmer: str | None = None
    quota: int = limits.STORE_BYTES
    lease_seconds: int = LEASE_SECONDS


@dataclass(frozen=True, slots=True)
class Site:
    """Where a controller is installed, and as whom it stands for election among its like."""

    install: Install
    election: Election


async def run(settings: Settings, listener: socket.socket) -> None:
    """Run until SIGTERM or SIGINT; the writes that are under way then are finished.

    Raises:
        errors.Error: the kubeconfig or the folder can't be used.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with _controller(settings) as controller, asyncio.TaskGroup() as group:
        work = [group.create_task(job) for job in controller.jobs()]
        group.create_task(controller.serve(listener, stop))
        await stop.wait()
        _log.info("stopping")
        for task in work:
            task.cancel()
        await asyncio.wait(work)
        await controller.resign()


@dataclass(frozen=True, slots=True)
class Supplies:
    """Where modules come from, where they are kept, and who is to serve them."""

    sources: Sources
    store: Callable[[Wanted], Blobs]
    rollout: Rollout
    journal: Journal
    scraper: Scraper


class Controller:
    """All parts, wired."""

    def __init__(self, client: lightkube.AsyncClient, supplies: Supplies, site: Site) -> None:
        self._client = client
        self._install = site.install
        lease = Key(site.install.namespace, names.CONTROLLER)
        self._leader = leader.Leader(client, lease, site.election)
        self._metrics = Metrics()
        self._watches = Watches(Watch(client, kinds.AutoWasm), Watch(client, kinds.EnvoyFilter))
        autowasms, envoyfilters = self._watches.autowasms, self._watches.envoyfilters
        self._wanted = Wanted(lambda: envoyfilters.objects)
        self._rollout = supplies.rollout
        self._modules = Modules(supplies.store(self._wanted), supplies.sources, self._metrics)
        self._checks = Checks(self._modules, self._metrics)
        self._rotations = Rotations(supplies.sources.secrets)
        self._sharing = Sharing(lambda: autowasms.objects, site.install.namespace)
        self._sidecars = sidecars.Sidecars(
            sidecars.Sources(Watch(client, kinds.Pod, sidecars.PACE), autowasms, envoyfilters),
            supplies.journal,
            supplies.scraper,
            sidecars.Site(site.install.namespace, connection.FIELD_MANAGER, self._leader.leads, self._nudge),
        )
        self._recorder = Recorder(client, names.CONTROLLER, site.election.identity)
        turns = Turns(
            Parts(
                self._leader.leads,
                self._watches,
                Observer(autowasms, envoyfilters, self._modules, self._checks, self._rotations),
                Actor(client, autowasms, envoyfilters, site.install, self._tell),
                self._rollout,
                self._sharing,
                self._wanted,
                self._sidecars.audience,
            )
        )
        self._workers = Workers(self._watches, turns.work, turns.glance, self._metrics)
        self._metrics.watch(self._workers.__len__, self._leader.leads, self._phases)
        self._metrics.watch_sidecars(self._sidecars.totals)

    def jobs(self) -> Iterator[Coroutine[None, None, None]]:
        """What runs side by side until it is cancelled."""
        yield self._workers.follow(self._watches.autowasms, self._news)
        yield self._workers.follow(self._watches.envoyfilters, self._stands)
        yield from self._sidecars.jobs()
        yield self._workers.run()
        yield self._rotations.run(self._workers.must)
        yield self._leader.run(self._workers.must_all)
        yield self._checks.warm()
        yield self._recorder.run()

    async def serve(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Answer wasmers until ``stop``; then finish the transfers."""
        host, port = listener.getsockname()[:2]
        _log.info("serving", extra={"host": host, "port": port})
        account = f"system:serviceaccount:{self._install.namespace}:{names.WASMER}"
        guard = server.Guard(self._user_of, account)
        backing = server.Backing(
            self._modules.read, self._lost, self._watches.synced, self._ready, self._sidecars.take
        )
        app = server.app(guard, backing, self._metrics)
        config = uvicorn.Config(
            app,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        await _Server(config).until(stop, listener)

    async def resign(self) -> None:
        """Let another controller write; nothing of this one writes any more."""
        await self._leader.resign()

    async def close(self) -> None:
        """End what was begun for nobody in particular."""
        await self._rollout.close()
        await self._modules.close()

    def _news(self, key: Key) -> Iterable[Key]:
        """An AutoWasm may have changed: whose place changes with it."""
        self._sidecars.look(key)
        return self._sharing.news(key)

    def _stands(self, key: Key) -> Iterable[Key]:
        """An EnvoyFilter may have changed, which is nobody else's business."""
        self._wanted.look(key)
        self._sidecars.look(key)
        return ()

    def _nudge(self, key: Key) -> None:
        self._workers.nudge(key)

    def _ready(self) -> bool:
        return self._watches.synced() and self._workers.through()

    async def _user_of(self, token: str) -> str | None:
        return await tokenreview.user_of(self._client, token, serving.TOKEN_AUDIENCE)

    def _lost(self, digest: Digest) -> bool:
        """The store lacks a module: have it fetched where it is in the mesh; whether it is, or may be."""
        found = self._wanted.by(digest)
        # Where the loss is no news, somebody tries already, with growing waits; askers do not speed that up.
        if self._modules.forget(digest):
            for key in found:
                self._workers.must(key)
        return bool(found) or self._wanted.lately(digest)

    def _tell(self, obj: Object, happened: Occasion) -> None:
        self._recorder.tell(obj, News(happened.reason, happened.note, happened.action, happened.warning))

    def _phases(self) -> Mapping[str, int]:
        objects = self._watches.autowasms.objects.values()
        return collections.Counter((obj.get("status") or {}).get("phase", "") for obj in objects)


@contextlib.asynccontextmanager
async def _controller(settings: Settings) -> AsyncIterator[Controller]:
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(connection.connect(settings.kubeconfig))
        http = await stack.enter_async_context(
            session.client(
                timeout=limits.PULL_TIMEOUT_SECONDS,
                ca_file=str(settings.ca_file) if settings.ca_file else None,
            )
        )

        # By a name of the cluster: no proxy's business.
        inside = await stack.enter_async_context(session.client(timeout=_INSIDE_SECONDS, proxies=False))

        def store(wanted: Wanted) -> Blobs:
            return Blobs(settings.data, Room(settings.quota, wanted=wanted.digests))

        sources = Sources(Registry(http), http, PullSecrets(client), Wasmers(inside, settings.wasmer))
        rollout, journal = Rollout(inside, settings.wasmer), Journal(settings.data / _JOURNAL)
        supplies = Supplies(sources, store, rollout, journal, Scraper(inside))
        election = Election(leader.identity(settings.data), settings.lease_seconds)
        controller = Controller(client, supplies, Site(settings.install, election))
        yield controller
        await controller.close()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the whole program's, not the server's."""
        yield

    async def until(self, stop: asyncio.Event, listener: socket.socket) -> None:
        """Serve until ``stop``, then finish what is under way."""
        answering = asyncio.ensure_future(self.serve([listener]))
        await stop.wait()
        self.should_exit = True
        await answering
