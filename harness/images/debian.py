"""Which Debian the images are made of, where its packages come from, and whether one can be made here."""

from __future__ import annotations

import functools
import os
import platform
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from harness.toolchain.lacking import Lacking

_DEFAULT_SUITE: Final = "bookworm"
_DEFAULT_MIRROR: Final = "http://deb.debian.org/debian"
_KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_APT: Final = Path("/etc/apt")
# deb [options] url suite components, with options that may be absent
_LINE: Final = re.compile(r"^deb(?:\s+\[[^]\n]*\])?\s+(\S+)\s+(\S+)\s+(.+)$", re.MULTILINE)


@functools.cache
def suite() -> str:
    """The release of the host where that is Debian, else bookworm."""
    said = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    return said.get("VERSION_CODENAME", _DEFAULT_SUITE) if said.get("ID") == "debian" else _DEFAULT_SUITE


@functools.cache
def mirror() -> str:
    """The archive that the host's apt uses, else Debian's own."""
    return next(mirrors(_APT, suite()), _DEFAULT_MIRROR)


def mirrors(apt: Path, release: str) -> Iterator[str]:
    """The URLs of the main archive of a release in apt's sources, in both of their formats (sources.list(5))."""
    for file in sorted([*apt.glob("sources.list.d/*.sources"), *apt.glob("sources.list.d/*.list")]):
        yield from _named(file.read_text(errors="replace"), release)
    if (apt / "sources.list").is_file():
        yield from _named((apt / "sources.list").read_text(errors="replace"), release)


def _named(text: str, release: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        fields = dict(re.findall(r"^(URIs|Suites|Components):\s*(.*)$", paragraph, re.MULTILINE))
        if release in fields.get("Suites", "").split() and "main" in fields.get("Components", "").split():
            yield from (url.rstrip("/") for url in fields.get("URIs", "").split())
    for url, suites, components in re.findall(_LINE, text):
        if suites == release and "main" in components.split():
            yield url.rstrip("/")


def keyring() -> list[str]:
    """Debootstrap's option for the keys of Debian's archive, where the host has them."""
    return [f"--keyring={_KEYRING}"] if _KEYRING.is_file() else []


def refusal() -> Lacking | None:
    """Why no Debian file system can be made here, None where one can."""
    if os.geteuid() != 0:
        return Lacking(
            "images: a Debian file system is made by root only: this user is not",
            remedy="run as root once (`sudo harness images build`), or reach an image registry for released images",
        )
    missing = [name for name in ("debootstrap", "unshare") if shutil.which(name) is None]
    if missing:
        return Lacking(
            f"images: making a Debian file system needs {missing[0]}: it is not on PATH",
            remedy="apt-get install --no-install-recommends -y debootstrap util-linux",
        )
    return None
