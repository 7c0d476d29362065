"""Files and folders of the Istio module that a mesh needs: fetched by `go`, then kept by the module's version."""

from __future__ import annotations

import functools
import json
import os
import shutil
from pathlib import Path
from typing import Final

from harness import events
from harness.toolchain import cache, commands, golang
from harness.toolchain.lacking import Lacking
from harness.toolchain.programs import ISTIO_MODULE

_DOWNLOAD_SECONDS: Final = 900.0


@functools.cache
def istio_version() -> str:
    """The pinned version of the Istio module, from go.mod."""
    for line in (golang.MODULE / "go.mod").read_text().splitlines():
        words = line.split()
        if words[:1] == [ISTIO_MODULE]:
            return words[1]
    raise AssertionError("go.mod requires no istio.io/istio")


def place(relpath: str) -> Path:
    """Where a file of the module is kept, or will be."""
    return cache.root() / "sources" / f"istio-{istio_version()}" / relpath


def ensure(relpath: str, emit: events.Emit) -> Path:
    """The path of a file of the module; `go` is started only where it is not kept yet. Raises Lacking."""
    kept = place(relpath)
    if kept.is_file():
        return kept
    try:
        data = (_folder(emit) / relpath).read_bytes()
    except OSError as error:
        raise Lacking(
            f"istio: {relpath} must be in {ISTIO_MODULE} {istio_version()}: {error.strerror}"
        ) from error
    cache.write(kept, data, mode=0o644)
    return kept


def ensure_folder(relpath: str, emit: events.Emit) -> Path:
    """The path of a folder of the module, copied whole or not at all. Raises Lacking."""
    kept = place(relpath + ".folder")  # beside files of the folder that are kept alone
    if kept.is_dir():
        return kept
    source = _folder(emit) / relpath
    if not source.is_dir():
        raise Lacking(f"istio: {relpath} must be a folder of {ISTIO_MODULE} {istio_version()}: it is none")
    with cache.locked(kept, what=f"keeps {relpath}"), cache.scratch(kept) as scratch, cache.writing():
        if not kept.is_dir():
            shutil.copytree(source, scratch / "tree", copy_function=shutil.copyfile)
            os.sync()
            (scratch / "tree").rename(kept)
    return kept


def _folder(emit: events.Emit) -> Path:
    """The module's own folder: `go` downloads it unless it has it."""
    go = golang.ensure(emit)
    log = cache.root() / "sources" / "download.log"
    with cache.locked(log, what=f"downloads {ISTIO_MODULE}"), cache.scratch(log) as scratch:
        commands.run(
            commands.Command(
                what=f"istio: download of {ISTIO_MODULE} {istio_version()}",
                argv=[str(go.path), "mod", "download", "-json", ISTIO_MODULE],
                cwd=golang.MODULE,
                log=log,
                scratch=scratch,
                env=go.environment(),
                timeout=_DOWNLOAD_SECONDS,
            )
        )
        text = log.read_text()
    # Notes about the download may stand before the one JSON object.
    return Path(json.loads(text[text.index("{") :])["Dir"])
