"""What a module's host functions act on: the VM as they see it, and its contexts: the VM's own, roots, streams.

Source: proxy-wasm-cpp-host, include/proxy-wasm/context.h, and Envoy's Context (extensions/common/wasm/context.cc).
A stream's context is ``harness.sim.filters.Filter``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from autowasm.abi.tables import BufferType, MapType, Status
from harness.sim.cel import Node
from harness.sim.clock import Timer
from harness.sim.maps import HeaderMap, Pair
from harness.sim.plugin import Plugin
from harness.sim.world import Ends, Metric, World

VM: Final = 0
"""Number of the VM's own context."""
EMPTY: Final = b""

HostCall = Callable[..., int | None]


class Machine(Protocol):
    """A VM, as host functions use it."""

    world: World
    abi: str
    failure: str
    stopped: bool
    contexts: dict[int, Context]
    vm_plugin: Plugin

    @property
    def context(self) -> Context:
        """The context that runs, or the one that the module chose instead."""
        ...

    @property
    def running(self) -> Context:
        """The context that runs."""
        ...

    def choose(self, context: int) -> None:
        """Have host functions act on another context until the call ends."""
        ...

    def read(self, pointer: int, size: int) -> bytes | None:
        """Bytes of the module's memory, None outside of it."""
        ...

    def write(self, pointer: int, data: bytes) -> bool:
        """Change the module's memory; False outside of it."""
        ...

    def allocate(self, size: int) -> int:
        """Ask the module's allocator; 0 where it has nothing."""
        ...

    def later(self, action: Callable[[], None]) -> None:
        """Do something when the module has returned."""
        ...

    def call(self, context: Context, name: str, *arguments: int) -> int | None:
        """Call a callback and do what it left to be done; None where the module has none, or has failed."""
        ...

    def exports(self, name: str) -> bool:
        """Whether the module has a callback that may be called."""
        ...

    def number_call(self, kind: int) -> int:
        """A new number for a call: its kind in the low two bits."""
        ...

    def next_dns(self) -> int:
        """A new number for a question to DNS."""
        ...

    def number_metric(self, metric: Metric) -> int:
        """A new number for a metric: its kind in the low two bits."""
        ...

    def metric(self, number: int) -> Metric | None:
        """The metric of a number."""
        ...

    def done(self, context: Context) -> int:
        """A root context that waited at its shutdown is done."""
        ...


class Context:
    """A context without a stream: there are no header maps and no bodies."""

    def __init__(self, machine: Machine, number: int, plugin: Plugin) -> None:
        self.machine, self.number, self.plugin = machine, number, plugin
        self.root: Root
        self.created = False
        self.last_buffer: bytes | bytearray = EMPTY
        self.declared: dict[bytes, bool] = {}

    def changeable(self, kind: MapType) -> HeaderMap | None:
        """A header map to be changed."""
        del kind
        return None

    def readable(self, kind: MapType) -> HeaderMap | None:
        """A header map to be read; those of answers to calls are the root's."""
        if kind in (MapType.HTTP_CALL_RESPONSE_HEADERS, MapType.HTTP_CALL_RESPONSE_TRAILERS):
            self.root.see_answer()
        return self.root.answer_maps.get(kind)

    @property
    def logging(self) -> bool:
        """Whether the stream is over and is being logged."""
        return False

    def touched(self, kind: MapType) -> None:
        """A header map was changed."""

    def buffer(self, kind: BufferType) -> bytes | bytearray | None:
        """A buffer: bytes cannot be changed, None is not there."""
        if kind is BufferType.VM_CONFIGURATION:
            return self.machine.vm_plugin.vm_configuration
        if kind is BufferType.PLUGIN_CONFIGURATION:
            return self.plugin.configuration if self.configuring else None
        if kind is BufferType.HTTP_CALL_RESPONSE_BODY:
            self.root.see_answer()
            return self.root.answer_body
        if kind is BufferType.GRPC_CALL_MESSAGE:
            return self.root.grpc_message
        return EMPTY

    @property
    def configuring(self) -> bool:
        """Whether the plugin is being made or configured: only then its configuration can be read."""
        return False

    def proceed(self, request: bool) -> None:
        """Let a paused stream go on."""

    def close(self, request: bool) -> None:
        """Reset the stream."""

    def respond(self, response: Response) -> None:
        """Answer instead of the application."""

    def property(self, name: bytes) -> Any:
        """A property by its first part; None where it is not there."""
        plain = {
            b"plugin_name": self.plugin.name,
            b"plugin_root_id": self.plugin.root_id,
            b"plugin_vm_id": self.machine.vm_plugin.vm_id,
        }
        return {"node": self.machine.world.node.fields()} if name == b"xds" else plain.get(name)

    def keep(self, path: bytes, value: bytes) -> Status:
        """Set a property."""
        del path, value
        return Status.NOT_FOUND

    def reroute(self) -> None:
        """Forget which route was chosen."""


class Response:
    """An answer that a module gives itself; ``grpc`` is -1 for none."""

    __slots__ = ("body", "details", "grpc", "headers", "status")

    def __init__(self, status: int, headers: list[Pair], body: bytes, details: str, grpc: int) -> None:
        self.status, self.headers, self.body, self.details, self.grpc = status, headers, body, details, grpc


class Root(Context):
    """A plugin's context: configuration, calls to clusters, ticks."""

    def __init__(self, machine: Machine, number: int, plugin: Plugin) -> None:
        super().__init__(machine, number, plugin)
        self.root = self
        self.in_configuration = False
        self.answer_maps: dict[MapType, HeaderMap] = {}
        self.answer_body: bytes | None = None
        self.answer_gone = False
        self.grpc_message: bytes = EMPTY
        self.status: tuple[int, bytes] = (0, b"")
        self.calls: dict[int, Any] = {}
        self.tick: Timer | None = None
        self.period = 0
        self.expressions: dict[int, Node] = {}
        self.next_expression = 0
        self.waiting = False

    @property
    def configuring(self) -> bool:
        """See Context."""
        return self.in_configuration

    def see_answer(self) -> None:
        """Look at the answer to a call.

        Where the module has no callback for answers, the host keeps a pointer to what is freed until its next callback
        has returned (Context::onHttpCallSuccess; measured).

        Raises:
            Ends: there is such a pointer.
        """
        if self.answer_gone:
            raise Ends(
                "SIGSEGV: Envoy ends itself: the answer to a call was read where no callback gets answers"
            )

    def set_period(self, milliseconds: int) -> None:
        """Tick so often; 0 ends it."""
        if self.tick is not None:
            self.tick.cancel()
            self.tick = None
        self.period = milliseconds
        if milliseconds:
            self.tick = self.machine.world.clock.after(milliseconds, self._on_tick)

    def _on_tick(self) -> None:
        if self.machine.failure:
            return
        self.tick = None
        self.machine.call(self, "proxy_on_tick", self.number)
        if self.period and self.tick is None:
            self.tick = self.machine.world.clock.after(self.period, self._on_tick)
