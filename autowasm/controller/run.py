"""Puts the controller together and runs it until it is told to stop."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import lightkube
import uvicorn

from autowasm import errors, limits, serving
from autowasm.controller import leader, plan, server, standing
from autowasm.controller.act import Actor, Outcome
from autowasm.controller.checks import Checks
from autowasm.controller.election import LEASE_SECONDS, Election
from autowasm.controller.metrics import Metrics
from autowasm.controller.modules import Modules, Sources
from autowasm.controller.observe import Observer, now
from autowasm.controller.wasmers import Wasmers
from autowasm.controller.workers import Watches, Workers
from autowasm.digest import Digest
from autowasm.istio import names
from autowasm.istio.envoyfilter import Install
from autowasm.kube import connection, kinds, secrets, tokenreview
from autowasm.kube.names import Key
from autowasm.kube.watch import Watch
from autowasm.net import session
from autowasm.registry.client import Registry
from autowasm.store.blobs import Blobs

_log = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 1.0
"""How long a new spec may be without a status before Pending is written: most modules are there sooner."""

_GRACE_SECONDS: Final = 25
"""How long transfers under way may take after SIGTERM: less than the 30 s after which a kubelet kills."""

_INSIDE_SECONDS: Final = 5.0
"""Time-out of a connection to a wasmer, and of each silence in a transfer."""

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


class Controller:
    """All parts, wired."""

    def __init__(self, client: lightkube.AsyncClient, store: Blobs, sources: Sources, site: Site) -> None:
        self._client = client
        self._install = site.install
        lease = Key(site.install.namespace, names.CONTROLLER)
        self._leader = leader.Leader(client, lease, site.election)
        self._metrics = Metrics()
        self._watches = Watches(Watch(client, kinds.AutoWasm), Watch(client, kinds.EnvoyFilter))
        autowasms, envoyfilters = self._watches.autowasms, self._watches.envoyfilters
        self._modules = Modules(store, sources, self._metrics)
        self._checks = Checks(self._modules, self._metrics)
        self._observer = Observer(autowasms, envoyfilters, self._modules, self._checks)
        self._actor = Actor(client, autowasms, envoyfilters, site.install)
        self._workers = Workers(self._watches, self._reconcile, self._metrics)
        self._metrics.watch(self._workers.__len__, self._leader.leads, self._phases)

    def jobs(self) -> Iterator[Coroutine[None, None, None]]:
        """What runs side by side until it is cancelled."""
        yield self._workers.follow(self._watches.autowasms)
        yield self._workers.follow(self._watches.envoyfilters)
        yield self._workers.run()
        yield self._leader.run(self._workers.must_all)
        yield self._checks.warm()

    async def serve(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Answer wasmers until ``stop``; then finish the transfers."""
        host, port = listener.getsockname()[:2]
        _log.info("serving", extra={"host": host, "port": port})
        account = f"system:serviceaccount:{self._install.namespace}:{names.WASMER}"
        guard = server.Guard(self._user_of, account)
        backing = server.Backing(self._modules.read, self._lost, self._watches.synced, self._ready)
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
        await self._modules.close()

    async def _reconcile(self, key: Key) -> Outcome:
        if not self._leader.leads():
            fault = await self._observer.hold(key)
            return Outcome(plan.Plan(), plan.again_after(fault) if fault else None, None)
        looking = asyncio.ensure_future(self._observer.facts(key))
        try:
            await asyncio.wait({looking}, timeout=PATIENCE_SECONDS)
            if not looking.done():
                await self._say_pending(key)
            facts = await looking
        finally:
            looking.cancel()
        if not self._leader.leads():
            message = f"controller: must hold the lease to write {key}: lost it meanwhile"
            raise errors.Retry(message, side="controller", reason="NotLeading")
        return await _finished(self._actor.act(key, facts))

    async def _say_pending(self, key: Key) -> None:
        obj = self._watches.autowasms.objects.get(key)
        if obj is None or not self._leader.leads():
            return
        status = plan.pending(obj, self._watches.envoyfilters.objects.get(key), now())
        if status is not None:
            await self._actor.write_status(key, obj, status)

    def _ready(self) -> bool:
        return self._watches.synced() and self._workers.through()

    async def _user_of(self, token: str) -> str | None:
        return await tokenreview.user_of(self._client, token, serving.TOKEN_AUDIENCE)

    def _lost(self, digest: Digest) -> bool:
        """The store lacks a module: have it fetched where it is in the mesh; whether it is."""
        found = [
            key
            for key, obj in self._watches.envoyfilters.objects.items()
            if standing.ours(obj) and standing.digest_of(obj) == digest
        ]
        # Where the loss is no news, somebody tries already, with growing waits; askers do not speed that up.
        if self._modules.forget(digest):
            for key in found:
                self._workers.must(key)
        return bool(found)

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

        async def read_secret(namespace: str, name: str) -> bytes:
            return await secrets.docker_config(client, Key(namespace, name))

        sources = Sources(Registry(http), http, read_secret, Wasmers(inside, settings.wasmer))
        store = Blobs(settings.data)
        election = Election(leader.identity(settings.data), settings.lease_seconds)
        site = Site(settings.install, election)
        controller = Controller(client, store, sources, site)
        yield controller
        await controller.close()


async def _finished(acting: Coroutine[None, None, Outcome]) -> Outcome:
    """Wait for the writes even if cancelled: an EnvoyFilter without its status says too little."""
    task = asyncio.ensure_future(acting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


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
