"""The WASI functions, as the C++ host answers them: a table by name. Most say that they are not supported.

Source: proxy-wasm-cpp-host, src/exports.cc (wasi_unstable_*). Parameters are unsigned; answers are WASI
error numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from autowasm.abi.tables import WasiErrno
from autowasm.abi.world import World

_MOST_RANDOM: Final = 64 * 1024
_STANDARD_OUT: Final = 1
_STANDARD_ERROR: Final = 2
_WRITABLE: Final = (_STANDARD_OUT, _STANDARD_ERROR)
_MOST_VECTORS: Final = 1024
_SHOWN: Final = 400
_POLL_SINCE: Final = (1, 39)


def fd_write(world: World, fd: int, vectors: int, count: int, written_at: int) -> int:
    """Standard output and error become log lines."""
    if fd not in _WRITABLE:
        return WasiErrno.BADF
    table = world.read(vectors, 8 * min(count, _MOST_VECTORS))
    if table is None:
        return WasiErrno.FAULT
    world.spend(len(table))
    text, written = b"", 0
    for at in range(0, len(table), 8):
        pointer, size = (int.from_bytes(table[i : i + 4], "little") for i in (at, at + 4))
        if not world.reachable(pointer, size):
            return WasiErrno.FAULT
        text += world.guest.read(pointer, min(size, _SHOWN - min(len(text), _SHOWN)))
        written += size
    if written:
        level = "info" if fd == _STANDARD_OUT else "error"
        world.note(f"{level}: {text.decode('utf-8', 'replace').removesuffix(chr(10))}")
    return _put(world, written_at, written % 2**32)


def fd_pwrite(world: World, fd: int, vectors: int, count: int, *offset_and_at: int) -> int:
    """As fd_write: there is no offset."""
    return fd_write(world, fd, vectors, count, offset_and_at[1])


def fd_fdstat_get(world: World, fd: int, at: int) -> int:
    """Standard output and error can be written to."""
    if fd not in _WRITABLE:
        return WasiErrno.BADF
    world.write(at, bytes(8) + (64).to_bytes(8, "little") + bytes(8))
    return WasiErrno.SUCCESS


def two_zeros(world: World, first_at: int, second_at: int) -> int:
    """No arguments."""
    return _put(world, first_at, 0) or _put(world, second_at, 0)


def environ_sizes_get(world: World, count_at: int, size_at: int) -> int:
    """How many variables there are, and the bytes of all as NAME=value and NUL."""
    size = sum(len(entry) for entry in _environment(world))
    return _put(world, count_at, len(world.configuration.environment)) or _put(world, size_at, size)


def environ_get(world: World, pointers_at: int, at: int) -> int:
    """The variables."""
    for number, entry in enumerate(_environment(world)):
        if not world.put(pointers_at + 4 * number, at % 2**32) or not world.write(at, entry):
            return WasiErrno.FAULT
        at += len(entry)
    return WasiErrno.SUCCESS


def _environment(world: World) -> list[bytes]:
    return [f"{name}={value}\0".encode() for name, value in world.configuration.environment]


def clock_time_get(world: World, clock: int, precision: int, at: int) -> int:
    """Real time and monotonic time."""
    del precision
    if clock > 1:
        return WasiErrno.NOTSUP
    return _put(world, at, world.now(), 8)


def clock_res_get(world: World, clock: int, at: int) -> int:
    """A nanosecond."""
    return WasiErrno.NOTSUP if clock > 1 else _put(world, at, 1, 8)


def random_get(world: World, pointer: int, size: int) -> int:
    """At most 64 KiB."""
    if size > _MOST_RANDOM:
        return WasiErrno.INVAL
    return WasiErrno.SUCCESS if world.write(pointer, world.random(size)) else WasiErrno.FAULT


def poll_oneoff(world: World, subscriptions: int, events: int, count: int, events_at: int) -> int:
    """Nothing ever happens, which is what Go's runtime wants to hear; before 1.39 there was no such function."""
    del subscriptions, events, count
    if world.envoy < _POLL_SINCE:
        return WasiErrno.NOSYS
    return _put(world, events_at, 0)


def fd_renumber(world: World, fd: int, to: int) -> int:
    """Only standard output and error are there, and they stay."""
    del world
    return WasiErrno.NOTSUP if fd in _WRITABLE and to in _WRITABLE else WasiErrno.BADF


def fd_tell(world: World, fd: int, at: int) -> int:
    """Always at the beginning."""
    return _put(world, at, 0, 8) if fd in _WRITABLE else WasiErrno.BADF


def fd_readdir(world: World, fd: int, *rest: int) -> int:
    """There are no folders."""
    del fd
    return _put(world, rest[-1], 0) or WasiErrno.NOTDIR


def zero_then_unsupported(world: World, *arguments: int) -> int:
    """A zero at the last parameter, and an excuse (path_readlink, sock_send)."""
    return _put(world, arguments[-1], 0) or WasiErrno.NOTSUP


def sock_accept(world: World, fd: int, flags: int, at: int) -> int:
    """There are no sockets; the host writes eight bytes."""
    del fd, flags
    return _put(world, at, 0, 8) or WasiErrno.NOTSUP


def sock_recv(world: World, *arguments: int) -> int:
    """There are no sockets."""
    size_at, flags_at = arguments[-2:]
    return _put(world, size_at, 0) or _put(world, flags_at, 0, 2) or WasiErrno.NOTSUP


def proc_exit(world: World, code: int) -> None:
    """The host notes it and goes on."""
    world.note(f"error: proc_exit({code})")


def _standard(world: World, fd: int, *rest: int) -> int:
    del world, rest
    return WasiErrno.SUCCESS if fd in _WRITABLE else WasiErrno.BADF


def _always(answer: WasiErrno) -> Callable[..., int]:
    def call(world: World, *arguments: int) -> int:
        del world, arguments
        return answer

    return call


def _put(world: World, at: int, value: int, size: int = 4) -> int:
    return WasiErrno.SUCCESS if world.put(at, value, size) else WasiErrno.FAULT


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
    "fd_allocate", "fd_datasync", "fd_fdstat_set_rights", "fd_filestat_set_size", "fd_filestat_set_times",
    "fd_sync",
)  # fmt: skip

TABLE: Final[dict[str, Callable[..., int | None]]] = {
    **{
        call.__name__: call
        for call in (
            clock_res_get, clock_time_get, environ_get, environ_sizes_get, fd_fdstat_get, fd_pwrite,
            fd_readdir, fd_renumber, fd_tell, fd_write, poll_oneoff, proc_exit, random_get, sock_accept,
            sock_recv,
        )
    },
    "args_sizes_get": two_zeros,
    "path_readlink": zero_then_unsupported,
    "sock_send": zero_then_unsupported,
    **dict.fromkeys(_STANDARD, _standard),
    **{name: _always(answer) for answer, names in _ALWAYS.items() for name in names},
}  # fmt: skip
