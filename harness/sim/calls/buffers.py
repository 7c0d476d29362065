"""Buffers: bodies, configurations, answers of calls. Source: proxy-wasm-cpp-host, src/exports.cc; Envoy's Buffer."""

from __future__ import annotations

from typing import Final

from autowasm.abi.tables import BufferType, Status
from harness.sim.calls import answers
from harness.sim.contexts import Machine

_KINDS: Final = {int(kind): kind for kind in BufferType}


def _find(vm: Machine, kind: BufferType) -> bytes | bytearray | None:
    """A buffer; the arguments of a foreign function are whatever was looked at last."""
    context = vm.context
    if kind is BufferType.FOREIGN_FUNCTION_ARGUMENTS:
        return context.last_buffer
    buffer = context.buffer(kind)
    if buffer is not None:
        context.last_buffer = buffer
    return buffer


def get_buffer_bytes(vm: Machine, kind: int, start: int, size: int, *out: int) -> int:
    """A part of a buffer, as far as it goes."""
    which = _KINDS.get(kind)
    if which is None:
        return Status.BAD_ARGUMENT
    buffer = _find(vm, which)
    if buffer is None:
        return Status.NOT_FOUND
    return answers.give(vm, buffer[start : start + size], *out)


def get_buffer_status(vm: Machine, kind: int, size_at: int, flags_at: int) -> int:
    """A buffer's length."""
    which = _KINDS.get(kind)
    if which is None:
        return Status.BAD_ARGUMENT
    buffer = _find(vm, which)
    if buffer is None:
        return Status.NOT_FOUND
    return answers.put(vm, size_at, len(buffer)) or answers.put(vm, flags_at, 0)


def set_buffer_bytes(vm: Machine, kind: int, start: int, size: int, *rest: int) -> int:
    """Put at its beginning, instead of so much of it, or behind it; nothing else can be replaced."""
    which = _KINDS.get(kind)
    if which is None:
        return Status.BAD_ARGUMENT
    buffer = _find(vm, which)
    if buffer is None:
        return Status.NOT_FOUND
    data = vm.read(*rest)
    if data is None:
        return Status.INVALID_MEMORY_ACCESS
    if not isinstance(buffer, bytearray):
        return Status.BAD_ARGUMENT
    if start == 0:
        buffer[: min(size, len(buffer))] = data
    elif start >= len(buffer):
        buffer += data
    else:
        return Status.BAD_ARGUMENT
    return Status.OK


def get_configuration(vm: Machine, *out: int) -> int:
    """The plugin's while it is configured, else the VM's (ABI 0.1.0)."""
    context = vm.context
    data = context.plugin.configuration if context.configuring else vm.vm_plugin.vm_configuration
    return answers.give(vm, data, *out)


CALLS: Final = (get_buffer_bytes, get_buffer_status, get_configuration, set_buffer_bytes)
