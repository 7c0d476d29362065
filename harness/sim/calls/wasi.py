"""The WASI functions, as the host answers them: log lines, a clock, the environment, and excuses for the rest.

Source: proxy-wasm-cpp-host, src/exports.cc (wasi_unstable_*). Answers are WASI error numbers.
"""

from __future__ import annotations

from typing import Final

from autowasm.abi.tables import LogLevel, WasiErrno
from harness.sim.contexts import HostCall, Machine

_STANDARD_OUT: Final = 1
_STANDARD_ERROR: Final = 2
_WRITABLE: Final = (_STANDARD_OUT, _STANDARD_ERROR)
_MOST_RANDOM: Final = 1 << 16


def fd_write(vm: Machine, fd: int, vectors: int, count: int, at: int) -> int:
    """Standard output and error become log lines."""
    if fd not in _WRITABLE:
        return WasiErrno.BADF
    text = bytearray()
    for vector in range(vectors, vectors + 8 * count, 8):
        entry = vm.read(vector, 8)
        part = entry and vm.read(int.from_bytes(entry[:4], "little"), int.from_bytes(entry[4:], "little"))
        if part is None:
            return WasiErrno.FAULT
        text += part
    level = LogLevel.INFO if fd == _STANDARD_OUT else LogLevel.ERROR
    if text:
        vm.world.log(level, text.removesuffix(b"\n").decode("utf-8", "replace"))
    return _put(vm, at, len(text))


def fd_pwrite(vm: Machine, fd: int, vectors: int, count: int, *offset_and_at: int) -> int:
    """As fd_write: there is no offset."""
    return fd_write(vm, fd, vectors, count, offset_and_at[1])


def fd_fdstat_get(vm: Machine, fd: int, at: int) -> int:
    """Standard output and error can be written to."""
    if fd not in _WRITABLE:
        return WasiErrno.BADF
    vm.write(at, bytes(8) + (64).to_bytes(8, "little") + bytes(8))
    return WasiErrno.SUCCESS


def args_sizes_get(vm: Machine, count_at: int, size_at: int) -> int:
    """There are no arguments."""
    return _put(vm, count_at, 0) or _put(vm, size_at, 0)


def environ_sizes_get(vm: Machine, count_at: int, size_at: int) -> int:
    """How many variables, how many bytes."""
    entries = _environment(vm)
    return _put(vm, count_at, len(entries)) or _put(vm, size_at, sum(len(entry) for entry in entries))


def environ_get(vm: Machine, table: int, text: int) -> int:
    """The variables, each ended by a NUL, and a table of where they are."""
    for entry in _environment(vm):
        if _put(vm, table, text) or not vm.write(text, entry):
            return WasiErrno.FAULT
        table, text = table + 4, text + len(entry)
    return WasiErrno.SUCCESS


def _environment(vm: Machine) -> list[bytes]:
    return [f"{name}={value}\0".encode() for name, value in vm.vm_plugin.environment.items()]


def clock_time_get(vm: Machine, clock: int, precision: int, at: int) -> int:
    """Real time and monotonic time."""
    del precision
    return WasiErrno.NOTSUP if clock > 1 else _put(vm, at, vm.world.clock.read(), 8)


def clock_res_get(vm: Machine, clock: int, at: int) -> int:
    """A nanosecond."""
    return WasiErrno.NOTSUP if clock > 1 else _put(vm, at, 1, 8)


def random_get(vm: Machine, pointer: int, size: int) -> int:
    """At most 64 KiB."""
    if size > _MOST_RANDOM:
        return WasiErrno.INVAL
    if size == 0:
        return WasiErrno.SUCCESS
    return WasiErrno.SUCCESS if vm.write(pointer, vm.world.random(size)) else WasiErrno.FAULT


def poll_oneoff(vm: Machine, *arguments: int) -> int:
    """Nothing ever happens."""
    return _put(vm, arguments[-1], 0)


def fd_renumber(vm: Machine, fd: int, to: int) -> int:
    """Only standard output and error are there, and they stay."""
    del vm
    return WasiErrno.NOTSUP if fd in _WRITABLE and to in _WRITABLE else WasiErrno.BADF


def fd_tell(vm: Machine, fd: int, at: int) -> int:
    """Always at the beginning."""
    return _put(vm, at, 0, 8) if fd in _WRITABLE else WasiErrno.BADF


def fd_readdir(vm: Machine, fd: int, *rest: int) -> int:
    """There are no folders."""
    del fd
    return _put(vm, rest[-1], 0) or WasiErrno.NOTDIR


def zero_then_unsupported(vm: Machine, *arguments: int) -> int:
    """A zero at the last parameter, and an excuse."""
    return _put(vm, arguments[-1], 0) or WasiErrno.NOTSUP


def sock_accept(vm: Machine, fd: int, flags: int, at: int) -> int:
    """There are no sockets; the host writes eight bytes."""
    del fd, flags
    return _put(vm, at, 0, 8) or WasiErrno.NOTSUP


def sock_recv(vm: Machine, *arguments: int) -> int:
    """There are no sockets."""
    return _put(vm, arguments[-2], 0) or _put(vm, arguments[-1], 0, 2) or WasiErrno.NOTSUP


def proc_exit(vm: Machine, code: int) -> None:
    """The host notes it at trace level and goes on."""
    del vm, code


def _standard(vm: Machine, fd: int, *rest: int) -> int:
    del vm, rest
    return WasiErrno.SUCCESS if fd in _WRITABLE else WasiErrno.BADF


def _always(answer: WasiErrno) -> HostCall:
    def call(*ignored: object) -> int:
        del ignored
        return answer

    return call


def _put(vm: Machine, at: int, value: int, size: int = 4) -> int:
    fine = vm.write(at, (value % 256**size).to_bytes(size, "little"))
    return WasiErrno.SUCCESS if fine else WasiErrno.FAULT


_ALWAYS: Final = {
    WasiErrno.SUCCESS: ("args_get", "fd_advise", "fd_close", "fd_seek", "sched_yield"),
    WasiErrno.BADF: ("fd_filestat_get", "fd_prestat_get"),
    WasiErrno.NOENT: ("path_open",),
    WasiErrno.NOSYS: ("fd_fdstat_set_flags", "fd_pread", "fd_prestat_dir_name", "fd_read"),
    WasiErrno.NOTSUP: (
        "path_create_directory", "path_filestat_get", "path_filestat_set_times", "path_link",
        "path_remove_directory", "path_rename", "path_symlink", "path_unlink_file", "sock_shutdown",
    ),
}  # fmt: skip
_STANDARD: Final = (
    "fd_allocate", "fd_datasync", "fd_fdstat_set_rights", "fd_filestat_set_size", "fd_filestat_set_times", "fd_sync",
)  # fmt: skip
_CALLS: Final[tuple[HostCall, ...]] = (
    args_sizes_get, clock_res_get, clock_time_get, environ_get, environ_sizes_get, fd_fdstat_get, fd_pwrite,
    fd_readdir, fd_renumber, fd_tell, fd_write, poll_oneoff, proc_exit, random_get, sock_accept, sock_recv,
)  # fmt: skip

TABLE: Final[dict[str, HostCall]] = {
    **{call.__name__: call for call in _CALLS},
    "path_readlink": zero_then_unsupported,
    "sock_send": zero_then_unsupported,
    **dict.fromkeys(_STANDARD, _standard),
    **{name: _always(answer) for answer, names in _ALWAYS.items() for name in names},
}
