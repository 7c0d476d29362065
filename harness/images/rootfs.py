"""A Debian file system, made once by debootstrap and kept as one layer, from which every image takes its packages.

It is kept as a tar because a tar is one file: it is published when it is whole, and a run that was killed leaves
nothing that could be taken for it. debootstrap runs in mount and process namespaces of its own, so that whatever ends
it, its mounts of /proc and /sys are gone with it and no removal of the leavings can reach into them.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import stat
import tarfile
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, Final

from harness import events
from harness.images import archive, debian, dpkg
from harness.images.layer import Blob, Layer, inside, measured
from harness.toolchain import cache, commands, history

_SECONDS: Final = 1800.0
# What a node and the images made here are made of: its init, containers, pods' networks, and Python.
PACKAGES: Final = (
    "systemd,systemd-sysv,containerd,runc,containernetworking-plugins,iptables,nftables,iproute2,conntrack,ethtool,"
    "socat,mount,util-linux,kmod,procps,netbase,ca-certificates,python3"
)
_RECIPE: Final = "1"  # goes up when what is left out, or how it is written, changes
# Folders whose content no image needs: documentation, caches, what the kernel fills, what only this installation saw.
_EMPTY: Final = (
    *(
        "dev",
        "proc",
        "sys",
        "run",
        "tmp",
        "var/log",
        "var/tmp",
        "var/cache/apt",
        "var/cache/debconf",
        "var/lib/apt",
    ),
    *(
        "usr/share/doc",
        "usr/share/man",
        "usr/share/locale",
        "usr/share/info",
        "usr/share/lintian",
        "debootstrap",
    ),
    # What packages have systemd start: terminals, clean-up timers, file systems of a whole machine.
    *("usr/lib/systemd/system/multi-user.target.wants", "usr/lib/systemd/system/timers.target.wants"),
    *("usr/lib/systemd/system/local-fs.target.wants", "etc/systemd/system/multi-user.target.wants"),
    *("etc/systemd/system/timers.target.wants", "etc/systemd/system/getty.target.wants"),
)


class Rootfs:
    """The file system: ``blob`` is all of it as a layer; ``copy`` puts some packages of it into another layer."""

    def __init__(self, blob: Blob) -> None:
        self.blob = blob
        self._tar = tarfile.open(blob.path)  # noqa: SIM115 - stays open as long as this does
        self._lock = (
            threading.Lock()
        )  # several layers are written at the same time, and a tar has one position
        self._members = {member.name: member for member in self._tar}
        self.packages = dpkg.parse((self.read("var/lib/dpkg/status") or b"").decode())

    def close(self) -> None:
        """Let go of the file."""
        self._tar.close()

    def read(self, name: str) -> bytes | None:
        """The bytes of a file, None where there is no such file."""
        member = self._members.get(name)
        with self._lock:
            file = self._tar.extractfile(member) if member and member.isfile() else None
            return file.read() if file else None

    @property
    def python(self) -> str:
        """The version of its Python, e.g. 3.11."""
        return ".".join(self.packages["python3"].version.split(".")[:2])

    def copy(self, layer: Layer, wanted: Sequence[str], skip: Collection[str] = ()) -> None:
        """Add packages with all that they need to a merged layer, Python's compiled files with their sources."""
        paths: set[str] = set()
        for name in dpkg.closure(self.packages, wanted, skip):
            listed = dpkg.files(self.packages[name], lambda each: self.read(f"var/lib/dpkg/info/{each}"))
            paths |= {inside(path, merged=True) for path in listed}
        for name, member in self._members.items():
            if name in paths or _source(name) in paths:
                self.add(layer, member)

    def add(self, layer: Layer, member: tarfile.TarInfo | str) -> None:
        """Add one member, by its name too, where it is there."""
        found = self._members.get(member) if isinstance(member, str) else member
        if found is not None:
            with self._lock:
                layer.copy(_copied(found), self._tar.extractfile(found) if found.isfile() else None)


def _source(name: str) -> str:
    """The source of a compiled Python file: a/__pycache__/b.cpython-311.pyc is of a/b.py."""
    folder, found, file = name.rpartition("/__pycache__/")
    return f"{folder}/{file.split('.')[0]}.py" if found else ""


def _copied(member: tarfile.TarInfo) -> tarfile.TarInfo:
    copied = tarfile.TarInfo(member.name)
    copied.size, copied.mode, copied.mtime, copied.type = member.size, member.mode, member.mtime, member.type
    copied.linkname, copied.uid, copied.gid = member.linkname, member.uid, member.gid
    return copied


@functools.cache
def key() -> str:
    """What the file system depends on, as a word. Security updates of a kept one come by `harness images prune`."""
    said = f"{_RECIPE} {PACKAGES} {debian.suite()} {archive.architecture()}"
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def place() -> Path:
    """Where it is kept, or will be."""
    return cache.root() / "images" / f"debian-{debian.suite()}-{key()}.tar"


def ensure(emit: events.Emit) -> Rootfs:
    """The file system, made where it is not there yet: a minute and 400 MB. Raises Lacking."""
    target = place()
    if not target.is_file():
        refusal = debian.refusal()
        if refusal:
            raise refusal
        waiting = "a Debian file system is being made by another run: waiting for"
        with cache.locked(
            target,
            what="makes a Debian file system",
            waiting=lambda owner: emit(events.Notice(f"{waiting} {owner}")),
        ):
            if not target.is_file():
                _make(target, emit)
    return Rootfs(measured(target))


def _make(target: Path, emit: events.Emit) -> None:
    phase = "debootstrap"
    detail = f"{debian.suite()} from {debian.mirror()}"
    emit(events.PhaseStarted(phase, detail, history.seconds(phase)))
    began = time.monotonic()
    with cache.scratch(target) as scratch:
        _bootstrap(scratch, target.with_name("debootstrap.log"))
        with cache.writing():
            _write(scratch / "root", scratch / "layer.tar")
            cache.publish(scratch / "layer.tar", target)
    took = time.monotonic() - began
    emit(events.PhaseEnded(phase, took, detail))
    history.remember(phase, took)


def _bootstrap(scratch: Path, log: Path) -> None:
    alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
    options = ["--variant=minbase", f"--include={PACKAGES}", *debian.keyring()]
    root = scratch / "root"
    root.mkdir(mode=0o755)
    commands.run(
        commands.Command(
            what=f"debootstrap: Debian {debian.suite()} from {debian.mirror()}",
            argv=[*alone, "debootstrap", *options, debian.suite(), str(root), debian.mirror()],
            cwd=scratch,
            log=log,
            scratch=scratch,
            env=os.environ | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
            timeout=_SECONDS,
        )
    )


def _write(root: Path, path: Path) -> None:
    layer = Layer(path, merged=True)
    for found in _walk(root, ""):
        _put(layer, root / found, found)
    layer.finish()
    shutil.rmtree(root, ignore_errors=True)


def _walk(root: Path, folder: str) -> Iterator[str]:
    for entry in sorted(os.scandir(root / folder), key=lambda each: each.name):
        name = f"{folder}/{entry.name}".lstrip("/")
        yield name
        if entry.is_dir(follow_symlinks=False) and name not in _EMPTY:
            yield from _walk(root, name)


def _put(layer: Layer, path: Path, name: str) -> None:
    status = path.lstat()
    member = tarfile.TarInfo(name)
    member.mode, member.mtime = stat.S_IMODE(status.st_mode), int(status.st_mtime)
    member.uid, member.gid = status.st_uid, status.st_gid
    content: IO[bytes] | None = None
    if stat.S_ISLNK(status.st_mode):
        member.type, member.linkname = tarfile.SYMTYPE, str(path.readlink())
    elif stat.S_ISDIR(status.st_mode):
        member.type = tarfile.DIRTYPE
    elif stat.S_ISREG(status.st_mode):
        member.size = status.st_size
        content = path.open("rb")
    else:
        return  # devices and sockets: an engine makes what a container needs
    try:
        layer.copy(member, content)
    finally:
        if content:
            content.close()
