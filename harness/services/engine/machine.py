"""What an engine changes of the machine around it, and how that is put back: settings, mounts, packet filter, bridges.

Only what was changed is restored: a setting where it still has the value that the engine or a kubelet gives it, the
chains of the packet filter where there were none before.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_SETTINGS: Final = Path("/proc/sys")
FORWARDING: Final = "net/ipv4/ip_forward"
# The value that the engine (forwarding) or a kubelet in a privileged container (the others) gives to a setting.
_CHANGED_TO: Final = {
    FORWARDING: "1",
    "vm/overcommit_memory": "1",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
}
_FILTERS: Final = ("iptables", "ip6tables")
_CHAIN: Final = "DOCKER"  # the engine's chains are called DOCKER, DOCKER-USER, DOCKER-ISOLATION-STAGE-1, ...
_SECONDS: Final = 10.0


def settings(root: Path = _SETTINGS) -> dict[str, str]:
    """The settings that may change, as they are now."""
    found = {}
    for name in _CHANGED_TO:
        with contextlib.suppress(OSError):  # this kernel has no such setting
            found[name] = (root / name).read_text().strip()
    return found


def forward(root: Path = _SETTINGS) -> None:
    """Turn forwarding on. An engine that finds it off turns it on and drops what others forward from then on."""
    with contextlib.suppress(OSError):  # then the engine says so, better than we can
        (root / FORWARDING).write_text("1\n")


def restore(before: Mapping[str, str], root: Path = _SETTINGS) -> list[str]:
    """Put settings back, those that have the changed value; returns their names."""
    mended = []
    for name, value in before.items():
        with contextlib.suppress(OSError):
            now = (root / name).read_text().strip()
            if now != value and now == _CHANGED_TO.get(name):
                (root / name).write_text(f"{value}\n")
                mended.append(name.replace("/", "."))
    return mended


def chains() -> bool:
    """Whether chains of an engine are there."""
    return any(f":{_CHAIN} " in _saved(program) for program in _FILTERS)


def remove_chains() -> bool:
    """Remove the chains of an engine and the rules that lead to them. False where there were none."""
    found = False
    for program in _FILTERS:
        for table, rules in tables(_saved(program)).items():
            for arguments in removal(rules):
                found = True
                _run([program, "--wait", "--table", table, *arguments])
    return found


def removal(rules: Sequence[str]) -> list[list[str]]:
    """Arguments that remove the chains among the lines of iptables-save; rules come as they are written there."""
    chains = [line.split()[0][1:] for line in rules if line.startswith(f":{_CHAIN}")]
    jumps = [line for line in rules if line.startswith("-A ") and not line.startswith(f"-A {_CHAIN}")]
    leading = [line.split() for line in jumps if f" -j {_CHAIN}" in line]
    deletions = [["-D", *words[1:]] for words in leading]
    return [*deletions, *(["-F", name] for name in chains), *(["-X", name] for name in chains)]


def tables(saved: str) -> dict[str, list[str]]:
    """The lines of iptables-save by table."""
    tables: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in saved.splitlines():
        if line.startswith("*"):
            lines = tables.setdefault(line[1:], [])
        else:
            lines.append(line)
    return tables


def _saved(program: str) -> str:
    return _run([f"{program}-save"]) if shutil.which(f"{program}-save") else ""


def _run(command: Sequence[str]) -> str:
    """What a program printed; empty where it failed: this is a best effort at the end."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def unmount(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> int:
    """Unmount what is mounted on a folder or under it, the deepest first; returns how many."""
    points = [_unescaped(line.split()[1]) for line in mounts.read_text().splitlines()]
    inside = [point for point in points if point == str(folder) or point.startswith(f"{folder}/")]
    for point in reversed(inside):
        _run(["umount", "--lazy", point])
    return len(inside)


def _unescaped(word: str) -> str:
    r"""A path of /proc/self/mounts: a space is \040 there (proc(5))."""
    return word.encode().decode("unicode_escape") if "\\" in word else word


def other_engine(ours: int | None) -> int | None:
    """The id of another dockerd that works on this network, None where there is none.

    Two on one network take each other's chains away.
    """
    network = Path("/proc/self/ns/net").stat().st_ino
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "comm").read_text().strip() != "dockerd" or int(process.name) == ours:
                continue
            if (process / "ns" / "net").stat().st_ino == network:
                return int(process.name)
    return None
