"""A Wasm instance with its memory and its host functions. The only user of wasmtime in the harness.

It knows Wasm and nothing of proxies. Instances are for one thread at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import wasmtime
from wasmtime import FuncType, ValType

from harness.sim import raw
from harness.sim.unshare import unshare

Call = Callable[..., int | None]
"""A host function: unsigned parameters, and a result where its type has one."""

T = TypeVar("T")

_TYPES: Final = {"i32": ValType.i32, "i64": ValType.i64, "f32": ValType.f32, "f64": ValType.f64}
_SHOWN: Final = 20
"""Frames of a backtrace, as many as the host shows."""
_MAGIC: Final = b"\0asm"
_FUEL: Final = 2_000_000_000
"""Instructions of one call from outside, a second or two: an endless loop ends with a verdict."""


class Unreadable(ValueError):
    """Text that is no WAT, or bytes that are no Wasm."""


class Trap(Exception):
    """Guest code ended abnormally; the message says how, and in which functions."""


class Waits(Exception):
    """Guest code waits on a shared memory; the message says in which functions. There is no other thread here."""


@dataclass(frozen=True, slots=True)
class Function:
    """A host function and its type, written "(i32, i32) -> i32"."""

    signature: str
    call: Call


def assemble(text: str) -> bytes:
    """Translate WAT to Wasm; the module is not validated.

    Raises:
        Unreadable: the text has an error, which the message shows.
    """
    try:
        return bytes(wasmtime.wat2wasm(text))
    except wasmtime.WasmtimeError as error:
        raise Unreadable(str(error)) from error


def _engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.consume_fuel = True
    config.wasm_tail_call = config.wasm_function_references = config.wasm_gc = config.wasm_exceptions = True
    return wasmtime.Engine(config)


_ENGINE: Final = _engine()


@dataclass(frozen=True, slots=True)
class Demand:
    """An import: its full name, and its signature where it is a known function's (empty otherwise)."""

    name: str
    kind: str
    signature: str


class Module:
    """Compiled code, from which instances are made."""

    def __init__(self, code: bytes, *, described: bool = True) -> None:
        """Compile. ``described``: look at the types of its exports, which end the process where they are vectors.

        Raises:
            Unreadable: it is no valid module.
        """
        if not code.startswith(_MAGIC):  # the engine would take text too
            raise Unreadable("the magic 00 61 73 6d is missing")
        alone = unshare(code)
        self.shared = alone is not code
        try:
            self.compiled = wasmtime.Module(_ENGINE, alone)
        except wasmtime.WasmtimeError as error:
            raise Unreadable(str(error).splitlines()[0]) from error

        self.callable = {
            e.name: len(e.type.params)
            for e in (self.compiled.exports if described else ())
            if isinstance(e.type, FuncType)
            and all(str(p) == "i32" for p in (*e.type.params, *e.type.results))
        }

    def imports(self, known: Container[str]) -> list[Demand]:
        """What it wants. Only known names' types are looked at: the engine's interface aborts at vectors."""
        return [
            Demand(name, _kind(wanted.type), _signature(wanted.type) if name in known else "")
            for wanted in self.compiled.imports
            for name in [f"{wanted.module}.{wanted.name}"]
        ]

    def functions(self, known: Container[str]) -> dict[str, str]:
        """Its exported functions of known names, with their signatures, in the order of the exports."""
        return {
            e.name: _signature(e.type)
            for e in self.compiled.exports
            if e.name in known and isinstance(e.type, FuncType)
        }


class Instance:
    """A module with a memory of its own."""

    def __init__(self, module: Module, functions: Mapping[str, Function], memory: int = 1 << 30) -> None:
        """Instantiate, and run the start section.

        Raises:
            Trap: the start section trapped, or there is not enough memory.
        """
        self._store = wasmtime.Store(_ENGINE)
        self._store.set_limits(memory_size=memory)
        self._store.set_fuel(_FUEL)
        self._raw = raw.Store(self._store)
        self._memory: raw.Memory | None = None
        self._shared = module.shared
        self._running = False
        self._imports: list[raw.Import] = []
        externs = [self._import(wanted, functions) for wanted in module.compiled.imports]
        instance = self._guarded(lambda: wasmtime.Instance(self._store, module.compiled, externs))
        self._exports: dict[str, raw.Export] = {}
        self._kept = dict(instance.exports(self._store).items())
        for name, item in self._kept.items():
            if isinstance(item, wasmtime.Memory):
                self._memory = raw.Memory(self._raw, item)
            elif isinstance(item, wasmtime.Func) and name in module.callable:
                self._exports[name] = raw.Export(self._raw, item, module.callable[name])

    def _import(self, wanted: wasmtime.ImportType, functions: Mapping[str, Function]) -> Any:
        of = wanted.type
        if isinstance(of, wasmtime.MemoryType):
            memory = wasmtime.Memory(self._store, of)
            self._memory = raw.Memory(self._raw, memory)
            return memory
        if isinstance(of, wasmtime.TableType):
            return wasmtime.Table(self._store, of, None)
        function = functions[f"{wanted.module}.{wanted.name}"]
        made = raw.Import((self._store, self._raw), _type(function.signature), function.call)
        self._imports.append(made)
        return made.function

    @property
    def has_memory(self) -> bool:
        """Whether there is a memory that its host reaches."""
        return self._memory is not None

    def call(self, name: str, *arguments: int) -> int:
        """Call an exported function of 32-bit values; 0 where it is not there.

        Raises:
            Trap: it trapped.
            Waits: it waits for another thread.
        """
        function = self._exports.get(name)
        if function is None:
            return 0
        if self._running:  # a call from within one uses up the same fuel
            return self._guarded(lambda: function(*arguments))
        self._raw.refuel(_FUEL)
        self._running = True
        try:
            return function(*arguments)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            raise self._told(error) from error
        finally:
            self._running = False

    def _guarded(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            pending, self._raw.pending = self._raw.pending, None
            raise pending or self._told(error) from error

    def _told(self, error: wasmtime.Trap | wasmtime.WasmtimeError) -> Trap | Waits:
        told = _told(error)
        code = error.trap_code if isinstance(error, wasmtime.Trap) else None
        waits = self._shared and code == wasmtime.TrapCode.ATOMIC_WAIT_NON_SHARED_MEMORY
        return Waits(str(told)) if waits else told

    def read(self, pointer: int, size: int) -> bytes | None:
        """Bytes of the memory, None outside of it."""
        if self._memory is None:
            return None if pointer + size else b""
        return self._memory.read(pointer, size)

    def write(self, pointer: int, data: bytes) -> bool:
        """Change the memory; False outside of it."""
        if self._memory is None:
            return pointer + len(data) == 0
        return self._memory.write(pointer, data)


def _told(error: wasmtime.Trap | wasmtime.WasmtimeError) -> Trap:
    """What happened, and in which functions; the engine's message is the backtrace, then what happened."""
    text = error.message if isinstance(error, wasmtime.Trap) else str(error)
    reason = text.strip().splitlines()[-1].strip().removeprefix("wasm trap: ")
    frames = error.frames[:_SHOWN] if isinstance(error, wasmtime.Trap) else []
    names = [frame.func_name or f"function {frame.func_index}" for frame in frames]
    return Trap(f"{reason} in {' < '.join(names)}" if names else reason)


def _type(signature: str) -> FuncType:
    parameters, results = (part.strip("()").split(", ") for part in signature.split(" -> "))
    return FuncType([_TYPES[p]() for p in parameters if p], [_TYPES[r]() for r in results if r])


def _signature(of: Any) -> str:
    if not isinstance(of, FuncType):
        return ""
    parameters = ", ".join(str(p) for p in of.params)
    return f"({parameters}) -> {', '.join(str(r) for r in of.results) or '()'}"


def _kind(of: Any) -> str:
    return str(type(of).__name__).removesuffix("Type").lower()
