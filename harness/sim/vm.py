"""A Wasm instance with its memory and its host functions. The only user of wasmtime in the harness.

It knows Wasm and nothing of proxies. Instances are for one thread at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any, Final

import wasmtime
from wasmtime import FuncType, ValType

Call = Callable[..., int | None]
"""A host function: unsigned parameters, and a result where its type has one."""

_TYPES: Final = {"i32": ValType.i32, "i64": ValType.i64, "f32": ValType.f32, "f64": ValType.f64}
_MASKS: Final = {"i32": 2**32 - 1, "i64": 2**64 - 1}
_MAGIC: Final = b"\0asm"
_FUEL: Final = 2_000_000_000
"""Instructions of one call from outside, a second or two: an endless loop ends with a verdict."""


class Unreadable(ValueError):
    """Text that is no WAT, or bytes that are no Wasm."""


class Trap(Exception):
    """Guest code ended abnormally; the message says how, and in which functions."""


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

    def __init__(self, code: bytes) -> None:
        """Compile.

        Raises:
            Unreadable: it is no valid module.
        """
        if not code.startswith(_MAGIC):  # the engine would take text too
            raise Unreadable("the magic 00 61 73 6d is missing")
        try:
            self.compiled = wasmtime.Module(_ENGINE, code)
        except wasmtime.WasmtimeError as error:
            raise Unreadable(str(error).splitlines()[0]) from error

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
        self._memory: wasmtime.Memory | None = None
        self._running = False
        externs = [self._import(wanted, functions) for wanted in module.compiled.imports]
        self._exports: dict[str, Any] = {}
        instance = self._guarded(lambda: wasmtime.Instance(self._store, module.compiled, externs))
        self._exports = dict(instance.exports(self._store).items())
        for item in self._exports.values():
            if isinstance(item, wasmtime.Memory):
                self._memory = item

    def _import(self, wanted: wasmtime.ImportType, functions: Mapping[str, Function]) -> Any:
        of = wanted.type
        if isinstance(of, wasmtime.MemoryType):
            self._memory = wasmtime.Memory(self._store, of)
            return self._memory
        if isinstance(of, wasmtime.TableType):
            return wasmtime.Table(self._store, of, None)
        function = functions[f"{wanted.module}.{wanted.name}"]
        return wasmtime.Func(self._store, _type(function.signature), _unsigned(function))

    @property
    def has_memory(self) -> bool:
        """Whether there is a memory that its host reaches."""
        return self._memory is not None

    def call(self, name: str, *arguments: int) -> int:
        """Call an exported function; 0 where it has no result, or is not there.

        Raises:
            Trap: it trapped.
        """
        function = self._exports.get(name)
        if function is None:
            return 0
        if not self._running:  # a call from within one uses up the same fuel
            self._store.set_fuel(_FUEL)
        outer, self._running = self._running, True
        try:
            answer = self._guarded(lambda: function(self._store, *arguments))
        finally:
            self._running = outer
        return int(answer or 0) & _MASKS["i32"]

    @staticmethod
    def _guarded(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except wasmtime.Trap as trap:
            frames = [frame.func_name or f"function {frame.func_index}" for frame in trap.frames[:5]]
            # wasmtime's message is the backtrace, then what happened
            reason = trap.message.strip().splitlines()[-1].strip().removeprefix("wasm trap: ")
            raise Trap(f"{reason} in {' < '.join(frames)}" if frames else reason) from trap
        except wasmtime.WasmtimeError as error:
            raise Trap(str(error).strip().splitlines()[-1].strip()) from error

    def read(self, pointer: int, size: int) -> bytes | None:
        """Bytes of the memory, None outside of it."""
        if not self._reachable(pointer, size):
            return None
        return (
            bytes(self._memory.read(self._store, pointer, pointer + size)) if self._memory and size else b""
        )

    def write(self, pointer: int, data: bytes) -> bool:
        """Change the memory; False outside of it."""
        if not self._reachable(pointer, len(data)):
            return False
        if self._memory is not None and data:
            self._memory.write(self._store, data, pointer)
        return True

    def _reachable(self, pointer: int, size: int) -> bool:
        return pointer + size <= (self._memory.data_len(self._store) if self._memory else 0)


def _unsigned(function: Function) -> Callable[..., int | None]:
    """Parameters come signed from the engine; host functions are written for unsigned ones."""
    parameters, result = function.signature.split(" -> ")
    masks = [_MASKS.get(of) for of in parameters.strip("()").split(", ") if of]

    def call(*arguments: int) -> int | None:
        answer = function.call(*(a & mask if mask else a for a, mask in zip(arguments, masks, strict=True)))
        return None if result == "()" else int(answer or 0)

    return call


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
