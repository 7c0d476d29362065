"""Calls over the engine's C interface.

wasmtime's Python one converts every argument by itself, which takes ten times as long as a guest's callback does; here
all of a call's values lie in one array. The layout is wasmtime.h's ``wasmtime_val_raw_t``: 16 bytes a value, results
over the arguments. The engine's version is capped for this.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Final

import wasmtime
from wasmtime import _bindings, _ffi

_WORDS: Final = 4
"""32-bit words of a value."""

_CALLBACK: Final = ctypes.CFUNCTYPE(
    ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t
)
_POINTER: Final = ctypes.c_void_p


def _function(name: str, result: Any, *parameters: Any) -> Callable[..., Any]:
    """A function of the engine, with pointers as plain numbers."""
    return ctypes.CFUNCTYPE(result, *parameters)((name, _ffi.dll))


_call: Final = _function(
    "wasmtime_func_call_unchecked", _POINTER, _POINTER, _POINTER, _POINTER, ctypes.c_size_t, _POINTER
)
_set_fuel: Final = _function("wasmtime_context_set_fuel", _POINTER, _POINTER, ctypes.c_uint64)
_memory_data: Final = _function("wasmtime_memory_data", _POINTER, _POINTER, _POINTER)
_memory_size: Final = _function("wasmtime_memory_data_size", ctypes.c_size_t, _POINTER, _POINTER)
_new_trap: Final = _function("wasmtime_trap_new", _POINTER, ctypes.c_char_p, ctypes.c_size_t)


def _address(of: Any) -> int:
    return ctypes.addressof(of)


class Store:
    """A store, by its address; ``pending`` is what a host function raised, for who called the guest."""

    def __init__(self, store: wasmtime.Store) -> None:
        self.pending: BaseException | None = None
        context = ctypes.cast(store._context(), _POINTER).value  # noqa: SLF001
        assert context is not None
        self.context: int = context

    def refuel(self, fuel: int) -> None:
        """Give calls so many instructions."""
        _set_fuel(self.context, fuel)


class Export:
    """A guest's function of 32-bit parameters with no result or a 32-bit one."""

    def __init__(self, store: Store, function: wasmtime.Func, parameters: int) -> None:
        self._store, self._function = store, function
        self._at = _address(function._func)  # noqa: SLF001
        self._count = max(parameters, 1)
        self._words = (ctypes.c_uint32 * (_WORDS * self._count))()
        self._values = _address(self._words)
        self._trap = _POINTER()
        self._trap_at = _address(self._trap)

    def __call__(self, *arguments: int) -> int:
        """Call it; what it returns where it has no result means nothing.

        Raises:
            wasmtime.Trap, wasmtime.WasmtimeError: it trapped, or the engine gave up.
        """
        words = self._words
        for at, argument in enumerate(arguments):
            words[_WORDS * at] = argument
        store = self._store
        error = _call(store.context, self._at, self._values, self._count, self._trap_at)
        if error or self._trap.value or store.pending is not None:
            self._raise(error)
        return words[0]

    def _raise(self, error: int | None) -> None:
        trap, self._trap.value = self._trap.value, None
        pending, self._store.pending = self._store.pending, None
        found: BaseException | None = None
        if error:
            pointer = ctypes.cast(error, ctypes.POINTER(_bindings.wasmtime_error_t))
            found = wasmtime.WasmtimeError._from_ptr(pointer)  # noqa: SLF001
        elif trap:
            found = wasmtime.Trap._from_ptr(ctypes.cast(trap, ctypes.POINTER(_bindings.wasm_trap_t)))  # noqa: SLF001
        if pending is not None:
            raise pending
        assert found is not None
        raise found


class Import:
    """A host's function for a guest: ``wide`` says of each parameter whether it has 64 bits."""

    def __init__(
        self, store: tuple[wasmtime.Store, Store], kind: wasmtime.FuncType, call: Callable[..., int | None]
    ) -> None:
        wide = [str(parameter) == "i64" for parameter in kind.params]
        self._callback = _CALLBACK(_entry(store[1], wide, call, bool(kind.results)))
        function = _bindings.wasmtime_func_t()
        _bindings.wasmtime_func_new_unchecked(
            store[0]._context(),  # noqa: SLF001
            kind.ptr(),
            ctypes.cast(self._callback, _bindings.wasmtime_func_unchecked_callback_t),
            None,
            _NO_FINALIZER,
            ctypes.byref(function),
        )
        self.function = wasmtime.Func._from_raw(function)  # noqa: SLF001


_NO_FINALIZER: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)()


def _entry(
    store: Store, wide: list[bool], call: Callable[..., int | None], answers: bool
) -> Callable[[int, int, int, int], int]:
    kind = ctypes.c_uint32 * (_WORDS * max(len(wide), 1))
    read = kind.from_address
    end = _WORDS * len(wide)
    doubles = [_WORDS * at for at, is_wide in enumerate(wide) if is_wide]

    def enter(environment: int, caller: int, values: int, count: int) -> int:
        del environment, caller, count
        words = read(values)
        arguments = words[0:end:_WORDS]
        for at in doubles:
            arguments[at // _WORDS] |= words[at + 1] << 32
        try:
            answer = call(*arguments)
        except BaseException as error:  # it is raised where the guest was called
            store.pending = error
            return int(_new_trap(b"host", 4))
        if answers:
            words[0] = answer or 0
        return 0

    return enter


class Memory:
    """A guest's memory, by its address."""

    def __init__(self, store: Store, memory: wasmtime.Memory) -> None:
        self._context, self._memory = store.context, memory
        self._at = _address(memory._memory)  # noqa: SLF001

    def read(self, pointer: int, size: int) -> bytes | None:
        """Bytes, None outside."""
        if pointer + size > _memory_size(self._context, self._at):
            return None
        return ctypes.string_at(_memory_data(self._context, self._at) + pointer, size) if size else b""

    def write(self, pointer: int, data: bytes) -> bool:
        """Change it; False outside."""
        if pointer + len(data) > _memory_size(self._context, self._at):
            return False
        if data:
            ctypes.memmove(_memory_data(self._context, self._at) + pointer, data, len(data))
        return True
