"""All functions that the host offers, by their full names."""

from __future__ import annotations

from typing import Final

from autowasm.abi.tables import HOST_FUNCTIONS, Status, WasiErrno
from harness.sim.calls import buffers, callouts, foreign, headers, properties, sharing, streams, wasi
from harness.sim.contexts import HostCall, Machine


def pthread_equal(vm: Machine, left: int, right: int) -> int:
    """Whether two threads are the same."""
    del vm
    return int(left == right)


def emscripten_notify_memory_growth(vm: Machine, memory: int) -> None:
    """A notice that needs no answer."""
    del vm, memory


def _always(status: int) -> HostCall:
    def refuse(*ignored: object) -> int:
        del ignored
        return status

    return refuse


_GROUPS: Final = (buffers, callouts, foreign, headers, properties, sharing, streams)
_PROXY: Final[dict[str, HostCall]] = {
    f"env.proxy_{call.__name__}": call for group in _GROUPS for call in group.CALLS
}
_OTHER: Final[dict[str, HostCall]] = {
    "env.pthread_equal": pthread_equal,
    "env.emscripten_notify_memory_growth": emscripten_notify_memory_growth,
    "env.envoy_resolve_dns": callouts.envoy_resolve_dns,
}
_ALL: Final[dict[str, HostCall]] = {**_PROXY, **_OTHER}


def implementation(full: str) -> HostCall:
    """What answers a function of the ABI tables."""
    return _ALL[full] if full in _ALL else wasi.TABLE[full.partition(".")[2]]


def capability(full: str) -> str | None:
    """What must be allowed for a function to work; None where it cannot be forbidden."""
    return None if full in _OTHER else full.partition(".")[2]


def refusal(full: str) -> HostCall:
    """What answers a function that is not allowed."""
    return _always(Status.INTERNAL_FAILURE if full.startswith("env.") else WasiErrno.NOTCAPABLE)


assert all(implementation(full) for full in HOST_FUNCTIONS)
