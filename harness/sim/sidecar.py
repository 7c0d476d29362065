"""A proxy with plugins: it loads them as Envoy does, and answers requests under their failure policies.

Source: Envoy, source/extensions/common/wasm/plugin_config (createContext, maybeReloadHandleIfNeeded) and
proxy-wasm-cpp-host, src/wasm.cc (createWasm, getOrCreateThreadLocalPlugin).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from harness.sim import exchange, loading
from harness.sim.clock import MILLISECOND
from harness.sim.contexts import Root
from harness.sim.exchange import Exchange, Received, Request, Route
from harness.sim.filters import Filter
from harness.sim.host import Host
from harness.sim.loading import Code, NotLoaded
from harness.sim.plugin import Plugin, Policy
from harness.sim.world import Ends, World

_BACK_OFF: Final = 1250 * MILLISECOND
"""How long after the last load a failed VM is loaded anew: a second, and up to half of one by chance."""


@dataclass(slots=True)
class Loaded:
    """A plugin with its VM."""

    plugin: Plugin
    code: Code
    host: Host
    root: Root
    since: int


class Slot:
    """A place in the chain: a plugin that runs, or why it does not."""

    def __init__(
        self, world: World, module: bytes, plugin: Plugin, *, whole: bool = False, envoy: str = loading.NEWEST
    ) -> None:
        """Load a module. ``whole``: in all the VMs that a proxy makes (base, canary, main thread, worker)."""
        self.plugin, self.world = plugin, world
        self.error = ""
        self.loaded: Loaded | None = None
        try:
            code = loading.load(module, plugin, envoy)
            if whole:
                Host(world, code, plugin)
                canary = Host(world, code, plugin)
                canary.start(plugin)
                canary.kill()
                self._load(code, "main thread")
            self.loaded = self._load(code)
        except NotLoaded as no:
            self.error = str(no)
        except Ends as end:
            self.error = world.ended = str(end)

    @property
    def notes(self) -> list[str]:
        """What an author should know of a module that loads."""
        return self.loaded.code.notes if self.loaded is not None else []

    def _load(self, code: Code, thread: str = "worker") -> Loaded:
        """Plugins with the same VM id, VM configuration and code share the VM of a thread."""
        key = (thread, self.plugin.vm_id, self.plugin.vm_configuration, code.digest)
        host = self.world.vms.get(key)
        if not isinstance(host, Host) or host.failure:
            host = self.world.vms[key] = Host(self.world, code, self.plugin)
        return Loaded(self.plugin, code, host, host.start(self.plugin), self.world.clock.now)

    def filter(self, stream: Exchange) -> Filter | None:
        """A filter for a stream; None where the policy is to go on without."""
        running = self.loaded
        if running is not None and running.host.failure and self.plugin.policy is Policy.RELOAD:
            running = self._reload(running)
        if running is not None and not running.host.failure:
            return Filter(running.host, running.root, self.plugin, stream)
        return None if self.plugin.policy is Policy.OPEN else Filter(None, None, self.plugin, stream)

    def _reload(self, failed: Loaded) -> Loaded:
        if failed.since + _BACK_OFF > self.world.clock.now:
            return failed
        failed.since = self.world.clock.now
        try:
            self.loaded = self._load(failed.code)
        except NotLoaded:
            return failed
        return self.loaded


class Sidecar:
    """A chain of plugins before a route."""

    def __init__(self, world: World, route: Route) -> None:
        self.world, self.route = world, route
        self.slots: list[Slot] = []
        self._streams = 0

    def request(self, request: Request, timeout: float = 5_000.0) -> Received:
        """Send a request, and wait for its answer up to ``timeout`` milliseconds."""
        if self.world.ended:
            return Received("ended")
        try:
            return self._request(request, timeout)
        except Ends as end:
            self.world.ended = str(end)
            return Received("ended")

    def sleep(self, milliseconds: float) -> None:
        """Let time pass: what is due in it happens."""
        self._live(lambda: self.world.clock.sleep(milliseconds))

    def settle(self) -> None:
        """Wait for the calls that are under way."""
        self._live(self.world.settle)

    def _live(self, action: Callable[[], None]) -> None:
        if self.world.ended:
            return
        try:
            action()
        except Ends as end:
            self.world.ended = str(end)

    def _request(self, request: Request, timeout: float) -> Received:
        self._streams += 1
        stream = Exchange(self.world, self.route, self._streams)
        found = [slot.filter(stream) for slot in self.slots]
        stream.chain([each for each in found if each is not None])
        number = f"00000000-0000-4000-8000-{self._streams:012x}".encode()
        return exchange.run(stream, request, timeout, number)
