"""How far a transfer is, on a terminal: one bar a blob, on standard error, gone at its end. Elsewhere nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from autowasm.digest import Digest
from autowasm.registry import upload

Told = Callable[[upload.Blob, int], None]
_SHOWN: Final = 256 * 1024  # smaller blobs are over before anybody looks


@contextmanager
def bars(form: str) -> Iterator[Told]:
    """What hears of blobs and shows them while the block runs, where a person looks on."""
    if form != "text" or not sys.stderr.isatty():
        yield lambda _blob, _at: None
        return
    import rich.console  # noqa: PLC0415 - only who looks at a terminal waits for it to load
    import rich.progress  # noqa: PLC0415

    console = rich.console.Console(stderr=True)
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.DownloadColumn(binary_units=True),
        rich.progress.TransferSpeedColumn(),
    )
    with rich.progress.Progress(*columns, console=console, transient=True) as shown:
        tasks: dict[Digest, rich.progress.TaskID] = {}

        def told(blob: upload.Blob, at: int) -> None:
            if blob.size < _SHOWN:
                return
            if blob.digest not in tasks:
                tasks[blob.digest] = shown.add_task(blob.digest.hex[:12], total=blob.size)
            shown.update(tasks[blob.digest], completed=at)

        yield told
