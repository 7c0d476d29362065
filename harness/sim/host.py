"""A plugin in its VM: loads a module as Envoy's host does, and calls it for each stream.

Source: proxy-wasm-cpp-host, src/wasm.cc and src/context.cc. A module that cannot be loaded is refused with
the host's own words; one that traps later fails all its streams from then on (failure policy FAIL_CLOSED).
"""

from __future__ import annotations

from typing import Final

from autowasm.abi import tables
from harness.sim import hostcalls, vm, wasi
from harness.sim.contexts import Plugin, State, Stream

_MARKERS: Final = {f"proxy_abi_version_{abi.replace('.', '_')}": abi for abi in tables.ABIS}
_LOOKED_UP: Final = frozenset({*_MARKERS, *tables.EXPORTS})
_ROOT: Final = 1
_MADE_BY_HOST: Final = ("memory", "table")


class NotLoaded(Exception):
    """The host refuses the module; the message is what Envoy logs."""


class Failed(Exception):
    """The VM has failed: this stream and all later ones are answered 503."""


class Host:
    """One VM with one plugin. It is what host functions get."""

    def __init__(self, module: bytes, plugin: Plugin) -> None:
        """Load and start.

        Raises:
            NotLoaded: some step of the host says no.
        """
        self.state = State(plugin)
        self.failure = ""
        self._next = _ROOT + 1
        try:
            code = vm.Module(module)
        except vm.Unreadable as error:
            raise NotLoaded(f"Failed to load Wasm bytecode: {error}") from error
        self._functions = code.functions(_LOOKED_UP)
        self.state.abi = self._abi()
        functions = {
            d.name: self._function(d)
            for d in code.imports(tables.HOST_FUNCTIONS)
            if d.kind not in _MADE_BY_HOST
        }
        self._instance = self._instantiate(code, functions)
        self._allocator = self._find_allocator()
        self._check_exports()
        self._start()

    # ------------------------------------------------------------------ loading

    def _instantiate(self, code: vm.Module, functions: dict[str, vm.Function]) -> vm.Instance:
        self.state.allowed = tables.CONTEXTLESS
        try:
            instance = vm.Instance(code, functions)
        except vm.Trap as trap:
            raise NotLoaded(f"Failed to create new Wasm instance: {trap}") from trap
        except _Restricted as call:
            raise NotLoaded(f"Envoy would end itself: the start section calls {call}") from call
        if functions and not instance.has_memory:
            raise NotLoaded("Envoy would end itself: the module has no memory that its host reaches")
        return instance

    def _abi(self) -> str:
        for name in self._functions:
            if name in _MARKERS:
                return _MARKERS[name]
        raise NotLoaded("Missing or unknown Proxy-Wasm ABI version")

    def _function(self, wanted: vm.Demand) -> vm.Function:
        offered = tables.HOST_FUNCTIONS.get(wanted.name)
        if offered is None or self.state.abi not in offered.abis:
            raise NotLoaded(f"Failed to load Wasm module due to a missing import: {wanted.name}")
        if offered.signature != wanted.signature:
            raise NotLoaded(
                f"Failed to load Wasm module due to an import type mismatch: {wanted.name}, "
                f"want: {wanted.signature}, but host exports: {offered.signature}"
            )
        return vm.Function(offered.signature, self._entry(wanted.name))

    def _entry(self, name: str) -> vm.Call:
        call = hostcalls.TABLE.get(name) or wasi.answer(name)

        def enter(*arguments: int) -> int | None:
            if self.state.allowed is not None and name not in self.state.allowed:
                raise _Restricted(name)
            return tables.Status.UNIMPLEMENTED if call is None else call(self, *arguments)

        return enter

    def _find_allocator(self) -> str:
        for name in ("malloc", "proxy_on_memory_allocate"):
            if name in self._functions:
                return name
        raise NotLoaded("Wasm module is missing malloc function.")

    def _check_exports(self) -> None:
        for name, signature in self._functions.items():
            expected = tables.EXPORTS.get(name, {}).get(self.state.abi, signature)
            if signature != expected and not (name == "_start" and "_initialize" in self._functions):
                found = f"want: {expected}, but the module exports: {signature}"
                raise NotLoaded(f"Bad function signature for: {name}, {found}")

    def _start(self) -> None:
        entries = [("_initialize",), ("main", 0, 0)] if "_initialize" in self._functions else [("_start",)]
        self.state.allowed = tables.START_ALLOWED
        for name, *arguments in entries:
            self._load_step(str(name), *(int(a) for a in arguments))
        self.state.allowed = None
        self.state.configuring = True
        self._load_step("proxy_on_context_create", _ROOT, 0)
        self.state.configuring = False
        if not self._agrees("proxy_on_vm_start", len(self.state.plugin.vm_configuration)):
            raise NotLoaded("Failed to start base Wasm")
        self.state.configuring = True
        if not self._agrees("proxy_on_configure", len(self.state.plugin.configuration)):
            raise NotLoaded("Failed to configure base Wasm plugin")
        self.state.configuring = False

    def _agrees(self, name: str, size: int) -> bool:
        return name not in self._functions or self._load_step(name, _ROOT, size) != 0

    def _load_step(self, name: str, *arguments: int) -> int:
        try:
            return self._instance.call(name, *arguments)
        except _Restricted as call:
            raise NotLoaded(f"Function: {name} failed: restricted_callback {call}") from call
        except vm.Trap as trap:
            raise NotLoaded(f"Function: {name} failed: {trap}") from trap

    # ------------------------------------------------------------------ streams

    def open(self) -> Stream:
        """Begin a stream.

        Raises:
            Failed: the VM has failed.
        """
        stream = Stream(self._next)
        self._next += 1
        self.call(stream, "proxy_on_context_create", _ROOT)
        return stream

    def call(self, stream: Stream, name: str, *arguments: int) -> int:
        """Call a callback for a stream; 0 (CONTINUE) where the module has none.

        Raises:
            Failed: it trapped, now or before.
        """
        if self.failure:
            raise Failed(self.failure)
        self.state.current = stream
        try:
            return self._instance.call(name, stream.id, *arguments)
        except (vm.Trap, _Restricted) as trap:
            self.failure = f"Function: {name} failed: {trap}"
            raise Failed(self.failure) from trap
        finally:
            self.state.current = None

    def close(self, stream: Stream) -> None:
        """End a stream.

        Raises:
            Failed: one of the last callbacks trapped.
        """
        self.call(stream, "proxy_on_done")
        self.call(stream, "proxy_on_log")
        self.call(stream, "proxy_on_delete")

    # ------------------------------------------------------------------ what host functions use

    def read(self, pointer: int, size: int) -> bytes | None:
        """Bytes of the module's memory, None outside of it."""
        return self._instance.read(pointer, size)

    def write(self, pointer: int, data: bytes) -> bool:
        """Change the module's memory; False outside of it."""
        return self._instance.write(pointer, data)

    def allocate(self, size: int) -> int:
        """Ask the module's allocator, which may call little of the host."""
        allowed, self.state.allowed = self.state.allowed, tables.ALLOCATOR_ALLOWED
        try:
            return self._instance.call(self._allocator, size)
        finally:
            self.state.allowed = allowed


class _Restricted(Exception):
    """A call that the host does not allow at this moment."""
