"""Executes a module as the host runs it, with no proxy around it: its start (rules 12 and 13), and a GET.

The only user of wasmtime. Source: proxy-wasm-cpp-host, src/wasm.cc (startVm, canary) and src/context.cc
(onStart, onConfigure). Fuel, memory and stack are limited. Runs share an engine and a linker that never
change, and may be in any number of threads:

- Host functions never raise. wasmtime-py hands an exception over in a global that all threads share, so one
  run could get another's. A run that must end is marked as stopped, and its fuel taken away.
- A host function finds its run in a context variable, as wasmtime-py's own place for it is a table without
  a lock.
"""

from __future__ import annotations

import hashlib
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Final

import wasmtime
from wasmtime import Func, FuncType, TrapCode, ValType

from autowasm import errors, limits
from autowasm.abi import capabilities, hostcalls, lifecycle, tables, wasi
from autowasm.abi.outcome import NEWEST, Budget, Compiled, Configuration, Fault, Host, Outcome
from autowasm.abi.stream import ROOT
from autowasm.abi.world import World

_STEPS: Final = 64
"""Steps of host functions that cost as much as a call."""

_MUCH: Final = 0.5
"""A module that traps with this share of its memory taken has run out of it: allocators take big steps."""

_V8_WORDS: Final = {
    TrapCode.UNREACHABLE: "Uncaught RuntimeError: unreachable",
    TrapCode.MEMORY_OUT_OF_BOUNDS: "Uncaught RuntimeError: memory access out of bounds",
    TrapCode.STACK_OVERFLOW: "Uncaught RangeError: Maximum call stack size exceeded",
    TrapCode.INTEGER_DIVISION_BY_ZERO: "Uncaught RuntimeError: divide by zero",
    TrapCode.INTEGER_OVERFLOW: "Uncaught RuntimeError: divide result unrepresentable",
    TrapCode.BAD_CONVERSION_TO_INTEGER: "Uncaught RuntimeError: float unrepresentable in integer range",
    TrapCode.TABLE_OUT_OF_BOUNDS: "Uncaught RuntimeError: table index is out of bounds",
    TrapCode.INDIRECT_CALL_TO_NULL: "Uncaught RuntimeError: null function or function signature mismatch",
    TrapCode.BAD_SIGNATURE: "Uncaught RuntimeError: null function or function signature mismatch",
}


_ENGINE_FORM: Final = 1
"""Changes whenever ``_engine`` does: what was compiled for another engine is not taken."""


_HELD: Final = {"table_elements": 10_000_000, "instances": 1, "tables": 100, "memories": 16}
"""What one run may hold, beside the memory that its budget says."""


class Invalid(errors.Final):
    """The engine refuses the module: a body, an initialiser or an index breaks the rules of validation."""

    def __init__(self, message: str) -> None:
        super().__init__(message, side="module", reason="InvalidModule")


def _engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.consume_fuel = True
    config.cranelift_opt_level = "none"  # it runs for milliseconds, and compiles for longer
    config.max_wasm_stack = limits.DRYRUN_STACK_BYTES
    # What V8 in Envoy 1.40 accepts (measured); it refuses wide arithmetic, which is off here too.
    config.wasm_tail_call = config.wasm_multi_memory = config.wasm_memory64 = config.wasm_threads = True
    config.wasm_function_references = config.wasm_gc = config.wasm_exceptions = config.wasm_relaxed_simd = (
        True
    )
    config.shared_memory = True
    return wasmtime.Engine(config)


_TYPES: Final = {"i32": ValType.i32, "i64": ValType.i64}
_RUN: ContextVar[_Run] = ContextVar("run")


def _type(signature: str) -> FuncType:
    parameters, results = (part.strip("()").split(", ") for part in signature.split(" -> "))
    return FuncType([_TYPES[p]() for p in parameters if p], [_TYPES[r]() for r in results if r])


def _linker() -> wasmtime.Linker:
    linker = wasmtime.Linker(_ENGINE)
    for full, (signature, _, _) in tables.HOST_FUNCTIONS.items():
        module, name = full.split(".", 1)
        linker.define_func(module, name, _type(signature), _entry(full, signature))
    return linker


def _entry(full: str, signature: str) -> Any:
    call = hostcalls.TABLE[full] if full.startswith("env.") else wasi.TABLE[full.split(".", 1)[1]]
    masks = [
        2**64 - 1 if p == "i64" else 2**32 - 1 for p in signature.split(" -> ", 1)[0].strip("()").split(", ")
    ]

    def entry(*arguments: int) -> int | None:
        unsigned = [a & mask for a, mask in zip(arguments, masks, strict=False)]
        answer = _RUN.get().enter(full, call, unsigned)
        return None if signature.endswith("()") else int(answer or 0)

    return entry


class Program:
    """A compiled module, to be run as often as one likes."""

    def __init__(self, module: bytes, abi: str, compiled: Compiled | None = None) -> None:
        """Compile, or take what was compiled before.

        Raises:
            Invalid: the engine refuses the module.
        """
        self._module = _compile(module) if compiled is None else _recalled(module, compiled)
        self._abi = abi

    def run(self, configuration: Configuration, budget: Budget, envoy: tuple[int, int] = NEWEST) -> Outcome:
        """Start the module with these configurations, as this Envoy would, and say how far it came."""
        run = _Run(self._module, Host(self._abi, envoy), configuration, budget)
        token = _RUN.set(run)
        try:
            fault = run.steps()
        finally:
            _RUN.reset(token)
        world = run.world
        return Outcome(fault, tuple(world.logs), tuple(world.guesses), tuple(world.remarks))


def _recalled(module: bytes, compiled: Compiled) -> wasmtime.Module:
    """Take a compiled module from the cache; its key names the engine, too, which looks for itself once more."""
    key = hashlib.sha256(f"{_ENGINE_FORM} ".encode() + module).hexdigest()
    kept = compiled.load(key)
    if kept is not None:
        try:
            return wasmtime.Module.deserialize(_ENGINE, kept)
        except wasmtime.WasmtimeError:
            pass  # of another machine or build: compile, and replace it
    made = _compile(module)
    compiled.save(key, bytes(made.serialize()))
    return made


def _compile(module: bytes) -> wasmtime.Module:
    try:
        return wasmtime.Module(_ENGINE, module)
    except wasmtime.WasmtimeError as fault:
        raise Invalid(str(fault).splitlines()[-1].split(": ", 1)[-1]) from fault


@dataclass(frozen=True, slots=True)
class _Step:
    """One call into the module: the rule that its trap breaks, and the export's name."""

    rule: str
    name: str


class _Run:
    """One instance of a module and its world. It is the ``Guest`` of the world."""

    def __init__(
        self, module: wasmtime.Module, host: Host, configuration: Configuration, budget: Budget
    ) -> None:
        self._module = module
        self._host = host
        self._budget = budget
        self._store = wasmtime.Store(_ENGINE)
        self._store.set_fuel(budget.fuel)
        self._store.set_limits(memory_size=budget.memory, **_HELD)
        self._exports: Any = None
        self._memory: wasmtime.Memory | None = None
        self._allowed: frozenset[str] | None = None
        self._configuration = configuration
        self._serving = False
        self._calls = 0
        self._fault: Fault | None = None
        self._bug: Exception | None = None
        self._step = _Step("start-trap", "start section")
        self.world = World(self, host.abi, configuration, host.envoy)

    # ------------------------------------------------------------------ the host's steps

    def steps(self) -> Fault | None:
        """All steps in the host's order; the first fault ends them."""
        try:
            self._instantiate()
            self._start()
            self.world.configuring = True
            self._call("context-create-trap", "proxy_on_context_create", ROOT, 0)
            self.world.configuring = False
            self._ask("vm-start", "proxy_on_vm_start", len(self._configuration.vm))
            self.world.configuring = True
            self._ask("configure", "proxy_on_configure", len(self._configuration.plugin))
            self.world.configuring = False
            self._serving = True
            lifecycle.request(
                lambda name, *arguments: self._call("request-trap", name, *arguments), self.world
            )
        except _Stopped:
            pass
        if self._bug is not None:
            raise self._bug
        return self._fault

    def _instantiate(self) -> None:
        externs = self._guarded(lambda: [self._import(wanted) for wanted in self._module.imports])
        instance = self._guarded(lambda: wasmtime.Instance(self._store, self._module, externs))
        self._exports = instance.exports(self._store)
        for name in self._exports:
            if isinstance(self._exports[name], wasmtime.Memory):
                self._memory = self._exports[name]

    def _import(self, wanted: wasmtime.ImportType) -> Any:
        of = wanted.type
        if isinstance(of, wasmtime.MemoryType):
            self._memory = wasmtime.Memory(self._store, of)
            return self._memory
        if isinstance(of, wasmtime.TableType):
            return wasmtime.Table(self._store, of, None)
        return _LINKER.get(self._store, wanted.module, wanted.name or "")

    def _start(self) -> None:
        self._allowed = tables.START_ALLOWED
        if "_initialize" in self._exports:
            self._call("start-trap", "_initialize")
            if "main" in self._exports:
                self._call("start-trap", "main", 0, 0)
            elif self._host.has(tables.EXPORTS_SINCE["__main_void"]):
                self._call("start-trap", "__main_void")
        else:
            self._call("start-trap", "_start")
        self._allowed = None

    def _ask(self, step: str, name: str, size: int) -> None:
        answer = self._call(f"{step}-trap", name, ROOT, size)
        if answer == 0:
            part = "start base Wasm" if step == "vm-start" else "configure base Wasm plugin"
            self._stop(
                Fault(f"{step}-refused", f"{name}: it must answer 1, found 0", name, f"Failed to {part}")
            )
            raise _Stopped

    def _call(self, rule: str, name: str, *arguments: int) -> Any:
        function = self._exports.get(name)
        capability = capabilities.of_export(name)
        if not isinstance(function, Func) or not (
            capability is None or self._configuration.allows(capability)
        ):
            return None
        self._step = _Step(rule, name)
        return self._guarded(lambda: function(self._store, *arguments))

    def _guarded(self, call: Any) -> Any:
        """Run guest code; whatever ends it becomes this run's fault."""
        try:
            answer = call()
        except (wasmtime.Trap, wasmtime.WasmtimeError) as ended:
            self._stop(self._explain(ended))
        if self._fault is not None or self._bug is not None:
            raise _Stopped
        return answer

    def _explain(self, ended: Exception) -> Fault:
        name, rule = self._step.name, self._step.rule
        code = ended.trap_code if isinstance(ended, wasmtime.Trap) else None
        if code == TrapCode.OUT_OF_FUEL:
            message = f"{name}: it must end within {self._budget.fuel} instructions, found no end"
            return Fault("out-of-fuel", message, name)
        frames = ended.frames if isinstance(ended, wasmtime.Trap) else []
        where = " < ".join(f.func_name or f"function {f.func_index}" for f in frames[:5]) or name
        if code is None:
            return Fault(
                "instantiate", f"instance: {_last_line(ended)}", where, "Failed to create new Wasm instance"
            )
        words = _V8_WORDS.get(code, "Uncaught RuntimeError")
        says = f"Function: {name} failed: {words}" if self._exports else "Failed to create new Wasm instance"
        if self.memory_size() > _MUCH * self._budget.memory:
            taken, most = self.memory_size() >> 20, self._budget.memory >> 20
            message = f"{name}: memory must stay below {most} MiB, found a trap with {taken} MiB taken"
            return Fault("out-of-memory", message, where, says)
        return Fault(
            rule, f"{name}: it must return, found a trap: {words.rpartition('Error: ')[2]}", where, says
        )

    def _stop(self, fault: Fault) -> None:
        self._fault = self._fault or replace(fault, serving=self._serving)
        self._store.set_fuel(0)

    # ------------------------------------------------------------------ what host functions use

    def enter(self, full: str, call: hostcalls.HostCall, arguments: list[int]) -> int | None:
        """Answer a call of the guest, where it is allowed."""
        if self._fault is not None or self._bug is not None:
            return 0
        self._calls += 1
        if not self._may(full):
            return 0
        capability = capabilities.of_import(full)
        if capability is not None and not self._configuration.allows(capability):
            words, answer = capabilities.denied(full)
            self.world.note(f"error: {words}")
            return answer
        try:
            return call(self.world, *arguments)
        except Exception as bug:  # carried over to this run's own thread: see the rules above
            self._bug = bug
            self._store.set_fuel(0)
            return 0
        finally:
            end = self.world.end
            if end is not None:
                message = f"{self._step.name}: {end.message}"
                self._stop(Fault(end.rule, message, full, f"{end.signal}: Envoy ends itself"))

    def _may(self, full: str) -> bool:
        name = self._step.name
        stub = bool(self._configuration.capabilities) and capabilities.of_import(full) is not None
        if self._exports is None and (stub or full not in tables.CONTEXTLESS):
            message = f"start section: it must not call the host, found a call of {full}"
            self._stop(Fault("start-section-call", message, full, "SIGSEGV: Envoy ends itself"))
        elif self._allowed is not None and not self._allows(full):
            message = f"{name}: it may call only what the host allows at the start, found a call of {full}"
            says = f"Function: {name} failed: Uncaught Error: restricted_callback"
            self._stop(Fault("start-restricted-call", message, full, says))
        elif self._calls + self.world.spent // _STEPS > self._budget.calls:
            message = f"{name}: it must end within {self._budget.calls} calls of the host, found no end"
            self._stop(Fault("out-of-fuel", message, full))
        return self._fault is None

    def _allows(self, full: str) -> bool:
        return full in (self._allowed or ()) and self._host.has(tables.START_SINCE.get(full, ""))

    def memory_size(self) -> int:
        """Size of the guest's memory in bytes."""
        return self._memory.data_len(self._store) if self._memory is not None else 0

    def read(self, pointer: int, size: int) -> bytes:
        """Bytes of the guest's memory."""
        return (
            bytes(self._memory.read(self._store, pointer, pointer + size)) if self._memory and size else b""
        )

    def write(self, pointer: int, data: bytes) -> None:
        """Change the guest's memory."""
        if self._memory is not None and data:
            self._memory.write(self._store, data, pointer)

    def allocate(self, size: int) -> int:
        """Ask the guest's allocator, under the host's restrictions."""
        function = self._exports.get("malloc") or self._exports.get("proxy_on_memory_allocate")
        if not isinstance(function, Func):
            return 0
        allowed, self._allowed = self._allowed, tables.ALLOCATOR_ALLOWED
        try:
            return int(function(self._store, size)) & 0xFFFF_FFFF
        except (wasmtime.Trap, wasmtime.WasmtimeError) as ended:
            self._stop(self._explain(ended))
            return 0
        finally:
            self._allowed = allowed


class _Stopped(Exception):
    """Leaves the steps once the run's fault is known."""


def _last_line(fault: Exception) -> str:
    lines = str(fault).strip().splitlines()
    return lines[-1].strip() if lines else type(fault).__name__


_ENGINE: Final = _engine()
_LINKER: Final = _linker()
