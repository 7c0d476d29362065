"""What the machine offers: its Python and packages, room on the disk, memory, a container engine."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Final

from harness.doctor import namespaces
from harness.doctor.finding import Finding
from harness.toolchain import cache

GIB: Final = 1 << 30
# Bytes that must be free: a cold build keeps 4.5 GB of compiled packages and 2.5 GB of modules beside the
# programs; a run keeps a template of the API server's state. Memory: linking kube-apiserver takes most; a
# mesh takes 1 GB.
_DISK: Final = {True: 8 * GIB, False: GIB}
_MEMORY: Final = {True: 3 * GIB, False: 3 * GIB // 2}
_PYTHON_FLOOR: Final = (3, 11)
# The modules of the harness's extra that are not programs.
_MODULES: Final = ("bcrypt", "cryptography", "pydantic", "pyroute2", "ruamel.yaml")
_EXTRA: Final = "pip install 'autowasm[harness]'"


def python() -> Finding:
    """Is this Python new enough?"""
    return Finding(
        "python",
        sys.version_info >= _PYTHON_FLOOR,
        f"{platform.python_version()} ({sys.executable})",
        "use Python 3.11 or newer",
    )


def packages() -> Finding:
    """Are the packages of the harness's extra there?"""
    missing = [name for name in _MODULES if not _there(name)]
    if missing:
        return Finding("packages", False, f"missing: {', '.join(missing)}", _EXTRA)
    return Finding("packages", True, ", ".join(_MODULES))


def _there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False  # its parent is missing


def wasmtime() -> Finding:
    """Does wasmtime run here? Tried in a process of its own, which a build for another CPU may take down."""
    said = namespaces.attempt([sys.executable, "-c", "import wasmtime; wasmtime.Engine()"])
    return Finding("wasmtime", not said, said or "makes an engine", "pip install wasmtime" if said else "")


def disk(building: bool) -> Finding:
    """Is there room where the cache folder is, or will be?"""
    folder = cache.root()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    writable = os.access(folder, os.W_OK)
    need = _DISK[building]
    detail = (
        f"{free / GIB:.1f} GiB free at {cache.root()}, {need // GIB} needed{' to build' if building else ''}"
    )
    if not writable:
        detail = f"{folder} may not be written"
    return Finding("disk", writable and free >= need, detail, "set XDG_CACHE_HOME to a folder with more room")


def memory(building: bool) -> Finding:
    """Is there memory, as the kernel and this control group count it?"""
    free = free_memory()
    need = _MEMORY[building]
    return Finding(
        "memory",
        free >= need,
        f"{free / GIB:.1f} GiB available, {need / GIB:.1f} needed{' to build' if building else ''}",
        "end other programs, or give this machine or container more",
    )


def free_memory() -> int:
    """Bytes that can still be had here."""
    return min(available(Path("/proc/meminfo")), _group_limit(Path("/sys/fs/cgroup")))


def available(meminfo: Path) -> int:
    """Bytes that programs can still get (MemAvailable)."""
    for line in meminfo.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return sys.maxsize


def _group_limit(root: Path) -> int:
    """What the control group allows (version 2, then 1); page cache that it counts would be given back."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            value = (root / name).read_text().strip()
        except OSError:
            continue
        return int(value) if value.isdigit() else sys.maxsize
    return sys.maxsize
