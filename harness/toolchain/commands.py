"""Starts the programs that make programs (`go`, `pip`) and turns their failures into Lacking.

Output goes to a file, so there is no pipe to fill and the whole of it can be read after a failure.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness.toolchain import cache, leash
from harness.toolchain.lacking import Lacking

_TAIL_LINES: Final = 12
_REACH: Final = (
    "modules and packages can be fetched",
    "see that this machine reaches them; GOPROXY and PIP_INDEX_URL name mirrors, HTTPS_PROXY a proxy",
)

# What is found in the output, the rule that was broken, what puts it right. The first match counts.
_FAULTS: Final = (
    (r"no space left on device|No space left", "there is space on the disk", "free some space"),
    (
        r"signal: killed|cannot allocate memory|out of memory",
        "there is memory enough",
        "free some memory: linking takes 3 GB",
    ),
    (r"GOPROXY=off|module lookup disabled", "modules can be fetched", "unset GOPROXY, or set it to a mirror"),
    (r"SECURITY ERROR|checksum mismatch", "modules have the bytes that go.sum names", "ask who runs GOPROXY"),
    (
        r"dial tcp|no such host|i/o timeout|connection (refused|reset)|proxyconnect|TLS handshake|x509:",
        *_REACH,
    ),
    (r"40[37] (Forbidden|Proxy)|429 Too Many|50[0-9] [A-Z]", *_REACH),
    (r"NewConnectionError|Name or service not known|name resolution|[Nn]etwork is unreachable", *_REACH),
    (r"No matching distribution|error sending request|not found in the package registry", *_REACH),
)


@dataclass(frozen=True, slots=True)
class Command:
    """A command: what it is for (begins messages), its argv, folder, environment and time-out in seconds.

    ``scratch`` is a folder that it writes to; the folder goes where the command fails or is ended.
    """

    what: str
    argv: Sequence[str]
    cwd: Path
    log: Path
    scratch: Path
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    timeout: float = 3600.0


def run(command: Command) -> None:
    """Run a command to its end, its output in ``command.log``; it ends where this process ends.

    Raises Lacking, with the last lines of the output, where it fails, cannot start or takes too long.
    """
    cache.folder(command.log.parent)
    leashed = [sys.executable, "-I", "-S", str(Path(leash.__file__)), str(os.getpid()), str(command.scratch)]
    with cache.writing():
        output = command.log.open("wb")
    with output:
        process = subprocess.Popen(
            [*leashed, *command.argv],
            cwd=command.cwd,
            env=dict(command.env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        code = _wait(process, command)
    if code != 0:
        raise failure(command.what, f"exit code {code}", command.log)


def _wait(process: subprocess.Popen[bytes], command: Command) -> int:
    try:
        return process.wait(command.timeout)
    except subprocess.TimeoutExpired:
        raise failure(command.what, f"no end within {command.timeout:.0f} s", command.log) from None
    finally:
        process.terminate()  # Ctrl-C and a time-out come here too; one that has ended is not signalled
        process.wait()


def failure(what: str, found: str, log: Path) -> Lacking:
    """The error for a failed command: the rule that its output speaks of, and the output's last lines."""
    text = log.read_text(errors="replace")
    lines = text.strip().splitlines()[-_TAIL_LINES:]
    told = "".join(f"\n    {line}" for line in lines)
    for pattern, rule, remedy in _FAULTS:
        if re.search(pattern, text):
            return Lacking(f"{what}: needs that {rule}: {found}{told}", remedy=remedy)
    return Lacking(f"{what}: must succeed: {found}{told}", remedy=f"read {log}")
