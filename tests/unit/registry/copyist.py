"""Copies an image in a process of its own, and says what it cost: ``python -m tests.unit.registry.copyist FROM TO``.

Prints the bytes of the peak over the process as it was before, after a small copy had loaded whatever is used.
"""

from __future__ import annotations

import sys
from pathlib import Path

from autowasm.oci.reference import Reference
from autowasm.registry.client import Party
from tests.unit.registry import stored


def _memory(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith(field))


def _copy(source: str, target: str) -> None:
    parties = (Party(Reference.parse(text), None) for text in (source, target))
    stored.run(lambda registry: registry.copy(*parties))


def main() -> None:
    """Copy, and measure."""
    source, target = sys.argv[1:]
    _copy(f"{source}:small", f"{target}:small")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = _memory("VmRSS")
    _copy(f"{source}:large", f"{target}:large")
    print(max(0, _memory("VmHWM") - before))  # noqa: T201


if __name__ == "__main__":
    main()
