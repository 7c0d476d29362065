"""Memories that are shared between threads, made ordinary ones: a VM of Envoy has one thread.

Everything but a wait is the same on both. A wait on an ordinary memory traps, so that nothing here waits for another
thread for good. Source: WebAssembly threads proposal, "Binary Format": a flag of a memory's limits.
"""

from __future__ import annotations

from typing import Final

from harness.sim.binary import Corrupted, Reader, sections
from harness.sim.hosttypes import step_over

_IMPORTS, _MEMORIES = 2, 5
_FUNC, _MEMORY, _TAG = 0, 2, 4
_SHARED: Final = 2


def unshare(module: bytes) -> bytes:
    """The module with ordinary memories; the same object where no memory is shared, or the bytes cannot be read."""
    try:
        places = [at for kind, section in sections(module) for at in _flags(kind, section)]
    except Corrupted:
        return module
    shared = [at for at in places if module[at] & _SHARED]
    if not shared:
        return module
    made = bytearray(module)
    for at in shared:
        made[at] &= ~_SHARED
    return bytes(made)


def _flags(kind: int, section: Reader) -> list[int]:
    """Where the flags of the memories of a section stand."""
    if kind == _MEMORIES:
        return [_memory(section) for _ in range(section.number())]
    return _imported(section) if kind == _IMPORTS else []


def _imported(section: Reader) -> list[int]:
    found = []
    for _ in range(section.number()):
        section.text()
        section.text()
        kind = section.byte()
        if kind == _MEMORY:
            found.append(_memory(section))
        elif kind in (_FUNC, _TAG):
            if kind == _TAG:
                section.byte()
            section.number()
        else:
            step_over(section, kind)
    return found


def _memory(section: Reader) -> int:
    at = section.at
    step_over(section, _MEMORY)
    return at
