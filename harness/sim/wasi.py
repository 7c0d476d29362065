"""The WASI functions that a module may call: hardly more than log lines, a clock and excuses.

Source: proxy-wasm-cpp-host, src/exports.cc. Each takes the host and unsigned parameters and answers an
error number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from autowasm.abi.tables import LogLevel, WasiErrno
from harness.sim.contexts import Host, HostCall, Line

_MODULES: Final = ("wasi_snapshot_preview1", "wasi_unstable")
_STANDARD_OUT: Final = 1
_STANDARD_ERROR: Final = 2


def fd_write(host: Host, fd: int, vectors: int, count: int, at: int) -> int:
    """Standard output and error become log lines."""
    if fd not in (_STANDARD_OUT, _STANDARD_ERROR):
        return WasiErrno.BADF
    text = b""
    for vector in range(vectors, vectors + 8 * count, 8):
        entry = host.read(vector, 8)
        part = entry and host.read(int.from_bytes(entry[:4], "little"), int.from_bytes(entry[4:], "little"))
        if part is None:
            return WasiErrno.FAULT
        text += part
    level = LogLevel.INFO if fd == _STANDARD_OUT else LogLevel.ERROR
    if text:
        host.state.logs.append(Line(level, text.decode("utf-8", "replace").removesuffix("\n")))
    return _put(host, at, len(text))


def fd_fdstat_get(host: Host, fd: int, at: int) -> int:
    """Standard output and error can be written to."""
    if fd not in (_STANDARD_OUT, _STANDARD_ERROR):
        return WasiErrno.BADF
    host.write(at, bytes(8) + (64).to_bytes(8, "little") + bytes(8))
    return WasiErrno.SUCCESS


def two_zeros(host: Host, first: int, second: int) -> int:
    """No arguments, no environment."""
    return _put(host, first, 0) or _put(host, second, 0)


def clock_time_get(host: Host, clock: int, precision: int, at: int) -> int:
    """Real and monotonic time, which move when they are read."""
    del precision
    if clock > 1:
        return WasiErrno.NOTSUP
    host.state.clock += 1_000
    return _put(host, at, host.state.clock, 8)


def random_get(host: Host, pointer: int, size: int) -> int:
    """Bytes that are the same in each run."""
    if size > 1 << 16:
        return WasiErrno.INVAL
    fine = host.write(pointer, bytes(i * 167 % 256 for i in range(size)))
    return WasiErrno.SUCCESS if fine else WasiErrno.FAULT


def poll_oneoff(host: Host, *arguments: int) -> int:
    """Nothing ever happens."""
    return _put(host, arguments[-1], 0)


def _put(host: Host, at: int, value: int, size: int = 4) -> int:
    return WasiErrno.SUCCESS if host.write(at, value.to_bytes(size, "little")) else WasiErrno.FAULT


def _always(answer: WasiErrno) -> HostCall:
    def call(host: Host, *ignored: int) -> int:
        del host, ignored
        return answer

    return call


_ALWAYS: Final = {
    WasiErrno.SUCCESS: ("args_get", "environ_get", "fd_close", "fd_seek", "proc_exit", "sched_yield"),
    WasiErrno.BADF: ("fd_filestat_get", "fd_prestat_get"),
    WasiErrno.NOENT: ("path_open",),
    WasiErrno.NOSYS: ("fd_fdstat_set_flags", "fd_prestat_dir_name", "fd_read"),
}
_FUNCTIONS: Final[dict[str, Callable[..., int | None]]] = {
    "args_sizes_get": two_zeros,
    "clock_time_get": clock_time_get,
    "environ_sizes_get": two_zeros,
    "fd_fdstat_get": fd_fdstat_get,
    "fd_write": fd_write,
    "poll_oneoff": poll_oneoff,
    "random_get": random_get,
    **{name: _always(answer) for answer, names in _ALWAYS.items() for name in names},
}


def answer(full: str) -> HostCall | None:
    """What answers a WASI function, named with its module; None where it is none.

    A function that is not in the table is not supported.
    """
    module, _, name = full.partition(".")
    return _FUNCTIONS.get(name, _always(WasiErrno.NOTSUP)) if module in _MODULES else None
