"""Can this user make the namespaces that hold a local mesh? Tried with the flags that the mesh uses.

Also for a root user the user namespace is tried first, since a mesh behaves the same for everybody then; a
root that may make no user namespaces does without one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harness.doctor.finding import Finding

WHAT: Final = "namespaces"
_UNSHARE: Final = ("--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child=KILL")
_AS_USER: Final = ("--user", "--map-root-user")
_SECONDS: Final = 10.0

# Kernel settings that forbid user namespaces: the file, the value that forbids, the line that puts it right.
_SETTINGS: Final = (
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    ("kernel/unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
    ("user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=15000"),
)
_CONTAINER: Final = (
    "in a container: start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
    "--security-opt systempaths=unconfined, or with --privileged"
)


def refusal() -> str | None:
    """Why a local mesh cannot be made here, in one line with the remedy; None where it can."""
    found = examine()
    if found.ok:
        return None
    return f"{found.detail}; {found.remedy}" if found.remedy else found.detail


def examine() -> Finding:
    """Make the namespaces around a program that does nothing."""
    if shutil.which("unshare") is None:
        return Finding(
            WHAT,
            False,
            "the program unshare is not on PATH",
            "install util-linux: sudo apt-get install util-linux",
        )
    said = ""
    for how, prefix in ways():
        said = attempt([*prefix, "true"])
        if not said:
            return Finding(WHAT, True, how)
    return Finding(WHAT, False, f"may not be made by this user: {said}", remedy())


def ways() -> list[tuple[str, list[str]]]:
    """The ways to make them, best first: in words, and as the beginning of a command."""
    found = [
        ("user, network, pid and mount namespace, no root needed", ["unshare", *_AS_USER, *_UNSHARE, "--"])
    ]
    if os.geteuid() == 0:
        found.append(("network, pid and mount namespace, as root", ["unshare", *_UNSHARE, "--"]))
    return found


def attempt(command: Sequence[str]) -> str:
    """Run a command; empty where it succeeds, else the last line of what it said."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    except subprocess.TimeoutExpired:
        return f"{command[0]}: no end within {_SECONDS:.0f} s"
    if done.returncode == 0:
        return ""
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return lines[-1] if lines else f"{command[0]}: exit code {done.returncode}"


def remedy(settings: Path = Path("/proc/sys")) -> str:
    """The line that puts it right: the kernel's setting that forbids them, else what a container needs."""
    for name, forbidding, line in _SETTINGS:
        try:
            value = (settings / name).read_text().strip()
        except OSError:
            continue  # this kernel has no such setting
        if value == forbidding:
            return line
    return _CONTAINER
