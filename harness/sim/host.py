"""A VM: a module that is loaded, started and called as Envoy's host does it.

Source: proxy-wasm-cpp-host, src/wasm.cc and src/context.cc. A module that traps fails its VM: nothing of it is
called any more. What a callback wants done (an answer, a stream that goes on) is done when it has returned.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from autowasm.abi import tables
from autowasm.abi.tables import MetricType, Status
from harness.sim import trace, vm
from harness.sim.calls import table
from harness.sim.contexts import VM, Context, Root
from harness.sim.loading import FAILED, Code, NotLoaded
from harness.sim.plugin import Plugin
from harness.sim.world import Ends, Metric, NotSimulated, World

_STEP: Final = 4
"""Numbers of metrics and calls go up in steps: the low two bits tell the kind."""


class Restricted(Exception):
    """A call that the host does not allow at this moment."""


class Host:
    """One VM. It is what host functions get, as ``contexts.Machine``."""

    def __init__(self, world: World, code: Code, plugin: Plugin) -> None:
        """Instantiate, and run what runs before anything else.

        Raises:
            NotLoaded: the host gives up.
        """
        self.world, self.abi, self.vm_plugin, self._code = world, code.abi, plugin, code
        self.failure = ""
        self.stopped = False
        self.last_call: tuple[str, tuple[int, ...], int | None] | None = None
        self.contexts: dict[int, Context] = {}
        self.roots: list[Root] = []
        self._next = 1
        self._later: deque[Callable[[], None]] = deque()
        self._metrics: dict[int, Metric] = {}
        self._metric_numbers = {kind: int(kind) for kind in MetricType}
        self._call_numbers = [0, 1, 2]
        self._dns = 1
        self._vm_context = Context(self, VM, plugin)
        self._vm_context.root = Root(self, VM, plugin)
        self.contexts[VM] = self._vm_context
        self.running: Context = self._vm_context
        self._chosen = VM
        self._allowed: frozenset[str] | None = tables.CONTEXTLESS
        self._instance = self._instantiate()
        code.check_exports()
        self._allocator = code.allocator
        self._begin()

    # ------------------------------------------------------------------ loading

    def _instantiate(self) -> vm.Instance:
        functions = {d.name: vm.Function(d.signature, self._entry(d.name)) for d in self._code.imports}
        try:
            instance = vm.Instance(self._code.module, functions)
        except vm.Trap as trap:
            raise NotLoaded(f"Failed to create new Wasm instance: {trap}") from trap
        except vm.Waits as wait:
            raise _endless(str(wait)) from wait
        except Restricted as call:
            raise Ends(f"SIGSEGV: Envoy ends itself: the start section calls {call}") from call
        if functions and not instance.has_memory:
            raise Ends("SIGSEGV: Envoy ends itself: the module has no memory that its host reaches")
        return instance

    def _entry(self, name: str) -> vm.Call:
        capability = table.capability(name)
        allowed = capability is None or self.vm_plugin.allows(capability)
        call = table.implementation(name) if allowed else table.refusal(name)
        short = name.partition(".")[2]

        def enter(*arguments: int) -> int | None:
            if self._allowed is not None and name not in self._allowed:
                raise Restricted(name)
            answer = call(self, *arguments)
            self.last_call = (short, arguments, answer)
            return answer

        def enter_aloud(*arguments: int) -> int | None:
            answer = enter(*arguments)
            assert self.world.trace is not None
            self.world.trace(trace.host_call(short, arguments, answer, self.read))
            return answer

        return enter if self.world.trace is None else enter_aloud

    def _begin(self) -> None:
        self._allowed = tables.START_ALLOWED
        for name, arguments in self._code.entries():
            if name not in self._code.exports:
                continue
            self._enter(self._vm_context, name, arguments)
            self._check()
        self._allowed = None

    def _check(self) -> None:
        if self.failure:
            raise NotLoaded(self.failure)

    def start(self, plugin: Plugin) -> Root:
        """Make a plugin's root context, start the VM for it, and configure it.

        Raises:
            NotLoaded: a callback trapped, or said no.
        """
        root = Root(self, self._number(), plugin)
        self.contexts[root.number] = root
        self.roots.append(root)
        root.in_configuration = True
        self.call(root, "proxy_on_context_create", root.number, VM)
        root.in_configuration = False
        root.created = True
        started = self.call(root, "proxy_on_vm_start", root.number, len(plugin.vm_configuration))
        self._check()
        if started == 0:
            raise NotLoaded(f"{FAILED}Failed to start base Wasm")
        root.in_configuration = True
        configured = self.call(root, "proxy_on_configure", root.number, len(plugin.configuration))
        root.in_configuration = False
        self._check()
        if configured == 0:
            raise NotLoaded(f"{FAILED}Failed to configure base Wasm plugin")
        return root

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    def adopt(self, context: Context) -> None:
        """Give a stream's context its number."""
        context.number = self._number()
        self.contexts[context.number] = context

    def kill(self) -> None:
        """End the VM without telling it, and its calls."""
        for root in self.roots:
            root.set_period(0)
            for call in root.calls.values():
                call.end(self.world)
            root.calls.clear()

    def stop(self) -> None:
        """End the VM: every plugin is done and deleted, or waits until it says that it is."""
        for root in self.roots:
            root.set_period(0)
            if self.call(root, "proxy_on_done", root.number) == 0:
                root.waiting = True
            else:
                self.call(root, "proxy_on_delete", root.number)
        self.roots.clear()

    def done(self, context: Context) -> int:
        """A plugin that waited is done."""
        root = context.root
        if not root.waiting:
            return Status.NOT_FOUND
        root.waiting = False

        def delete() -> None:
            self.call(root, "proxy_on_delete", root.number)

        self.later(delete)
        return Status.OK

    # ------------------------------------------------------------------ calling

    def exports(self, name: str) -> bool:
        """Whether the module has a callback that may be called."""
        return name in self._code.callbacks

    def call(self, context: Context, name: str, *arguments: int) -> int | None:
        """Call a callback, then do what it wanted done; None where there is none, or the VM has failed."""
        answer = self.begin(context, name, *arguments)
        self.finish()
        return answer

    def begin(self, context: Context, name: str, *arguments: int) -> int | None:
        """Call a callback; ``finish`` must follow."""
        if self.failure or name not in self._code.callbacks:
            return None
        return self._enter(context, name, arguments)

    def finish(self) -> None:
        """Do what callbacks wanted done."""
        self.stopped = False
        while self._later:
            self._later.popleft()()

    def _enter(self, context: Context, name: str, arguments: tuple[int, ...]) -> int:
        before = self.running, self._chosen
        self.running, self._chosen = context, VM
        if self.world.trace is not None:
            self.world.trace(trace.callback(name, arguments))
        try:
            return self._instance.call(name, *arguments)
        except Restricted as call:
            self._fail(name, f"restricted_callback {call}")
        except vm.Trap as trap:
            self._fail(name, str(trap))
        except vm.Waits as wait:
            raise _endless(str(wait)) from wait
        finally:
            self.running, self._chosen = before
        return 0

    def _fail(self, name: str, why: str) -> None:
        last = ""
        if self.last_call is not None:
            last = f"; the host call before it: {trace.host_call(*self.last_call, self.read).strip()}"
        self.failure = f"Function: {name} failed: {why}{last}"
        for root in self.roots:
            root.set_period(0)

    # ------------------------------------------------------------------ what host functions use

    @property
    def context(self) -> Context:
        """The context that the module chose, else the one that runs."""
        return self.contexts.get(self._chosen, self.running) if self._chosen else self.running

    def choose(self, context: int) -> None:
        """Act on another context until the call ends."""
        self._chosen = context

    def later(self, action: Callable[[], None]) -> None:
        """Do something when the callback has returned."""
        self._later.append(action)

    def read(self, pointer: int, size: int) -> bytes | None:
        """Bytes of the module's memory, None outside of it."""
        return self._instance.read(pointer, size)

    def write(self, pointer: int, data: bytes) -> bool:
        """Change the module's memory; False outside of it."""
        return self._instance.write(pointer, data)

    def allocate(self, size: int) -> int:
        """Ask the module's allocator, which runs in the VM's context and may call little of the host."""
        before = self.running, self._chosen, self._allowed
        self.running, self._chosen, self._allowed = self._vm_context, VM, tables.ALLOCATOR_ALLOWED
        try:
            return self._instance.call(self._allocator, size)
        finally:
            self.running, self._chosen, self._allowed = before

    def number_call(self, kind: int) -> int:
        """A new number for a call to a cluster."""
        self._call_numbers[kind] += _STEP
        return self._call_numbers[kind]

    def next_dns(self) -> int:
        """A new number for a question to DNS; the first is 2."""
        self._dns += 1
        return self._dns

    def number_metric(self, metric: Metric) -> int:
        """A new number for a metric."""
        self._metric_numbers[metric.kind] += _STEP
        number = self._metric_numbers[metric.kind]
        self._metrics[number] = metric
        return number

    def metric(self, number: int) -> Metric | None:
        """The metric of a number."""
        return self._metrics.get(number)


def _endless(where: str) -> NotSimulated:
    return NotSimulated(
        "memory.atomic.wait on a shared memory is not simulated: Envoy has no other thread in the VM, and waits for the"
        f" whole time-out, or for good ({where})"
    )
