"""runc for a machine that withholds capabilities: ``bounded.py RUNC ARGUMENTS...``.

An engine asks for every capability for a privileged container, and runc fails where one of them is outside of the
machine's own bounding set ("unable to apply caps: operation not permitted"). This program stands in runc's place: it
takes those out of the container's specification (OCI runtime-spec, process.capabilities), then becomes runc.

It is copied to where the engine is and run by its path: it imports the standard library only.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

# linux/capability.h, by number.
_NAMES = tuple(
    word
    for line in (
        "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE",
        "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO",
        "SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME",
        "SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG",
        "WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE",
    )
    for word in line.split()
)


def withheld(status: str, last: int) -> frozenset[str]:
    """Names of the capabilities up to number ``last`` that /proc/self/status says can never be had."""
    line = next(line for line in status.splitlines() if line.startswith("CapBnd:"))
    mask = int(line.split()[1], 16)
    return frozenset(
        f"CAP_{name}" for number, name in enumerate(_NAMES[: last + 1]) if not mask >> number & 1
    )


def withheld_here() -> frozenset[str]:
    """Names of the capabilities that this machine withholds from every process."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    return withheld(Path("/proc/self/status").read_text(), last)


def strip(process: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """A specification's process without these capabilities."""
    sets = process.get("capabilities") or {}
    kept = {which: [one for one in held if one not in names] for which, held in sets.items()}
    return {**process, "capabilities": kept} if sets else process


def specification(arguments: list[str]) -> tuple[Path, tuple[str, ...]] | None:
    """The file that these arguments of runc name, and the keys that lead to its process; None where there is none."""
    if "create" in arguments or "run" in arguments:
        return Path(_value(arguments, "--bundle", "-b") or ".") / "config.json", ("process",)
    if "exec" in arguments:
        named = _value(arguments, "--process", "-p")
        return (Path(named), ()) if named else None
    return None


def _value(arguments: list[str], *options: str) -> str | None:
    for position, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name in options:
            return value or arguments[position + 1]
    return None


def main(runc: str, arguments: list[str]) -> None:
    """Change the specification, become runc."""
    found = specification(arguments)
    if found:
        path, keys = found
        content = json.loads(path.read_text())
        if keys:
            content["process"] = strip(content["process"], withheld_here())
        else:
            content = strip(content, withheld_here())
        path.write_text(json.dumps(content))
    os.execv(runc, ["runc", *arguments])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
