"""A clock of the day that jumps under one program, by libfaketime: a library that is loaded before all others.

No kernel lets a user set the time, and a time namespace shifts only the clocks that count from the start of the
machine. The library reads the shift from a file, so that it can change while the program runs. Clocks that only grow
stay true, as they do when a machine's clock is set.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from harness.mesh import Refused
from harness.meshes.local.containers import Container
from harness.services.process import wait_until

_SYSTEM: Final = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
)
_WHEEL: Final = "vendor/libfaketime/src/libfaketime.so.1"
_BACK_SECONDS: Final = 30.0


def library() -> Path | None:
    """The library: of the Python package of its name, or of the system; None where there is none."""
    spec = importlib.util.find_spec("libfaketime")
    places = [Path(one) / _WHEEL for one in (spec.submodule_search_locations or ())] if spec else []
    return next((one for one in [*places, *map(Path, _SYSTEM)] if one.is_file()), None)


def jump(container: Container, folder: Path, seconds: float) -> Callable[[], None]:
    """Have the clock of a program jump; returns what has it jump back.

    One that has no such clock yet is killed, and started again with one that is right at first.

    Raises:
        Refused: the library is not here, or the program does not come back.
    """
    shift = folder / "clock"
    if not container.worn:
        _give(container, shift)
    shift.write_text(f"{seconds:+g}\n")

    def back() -> None:
        shift.write_text("+0\n")
        container.again_with({})  # its next start is one without, which is quicker

    return back


def _give(container: Container, shift: Path) -> None:
    shift.write_text("+0\n")
    container.again_with(_environment(shift))
    wanted = container.restarts + 1
    container.kill()
    if not wait_until(lambda: container.restarts >= wanted and container.ready, _BACK_SECONDS):
        raise Refused(f"{container.name}: must be back within {_BACK_SECONDS:g} s with a clock of its own")


def _environment(shift: Path) -> Mapping[str, str]:
    found = library()
    if found is None:
        raise Refused("clock: needs libfaketime, found no such library; pip install libfaketime brings it")
    return {
        "LD_PRELOAD": str(found),
        "FAKETIME_TIMESTAMP_FILE": str(shift),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
