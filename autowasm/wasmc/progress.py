"""How far a transfer is, on a terminal: one bar a blob, on standard error, gone at its end. Elsewhere nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from autowasm.digest import Digest

if TYPE_CHECKING:
    import rich.progress  # loaded where there is something to show: it takes longer than a small transfer

_SHOWN: Final = 256 * 1024  # smaller blobs are over before anybody looks
_LATER: Final = 0.5  # seconds after which somebody wonders


class Blob(Protocol):
    """What is on its way."""

    @property
    def digest(self) -> Digest:
        """Its name."""
        ...

    @property
    def size(self) -> int:
        """All of its bytes."""
        ...


Told = Callable[[Blob, int], None]


@contextmanager
def bars(form: str) -> Iterator[Told]:
    """What hears of blobs and shows them while the block runs, where a person looks on."""
    if form != "text" or not sys.stderr.isatty():
        yield lambda _blob, _at: None
        return
    shown = _Bars()
    try:
        yield shown.told
    finally:
        shown.close()


class _Bars:
    def __init__(self) -> None:
        self._from = time.monotonic() + _LATER
        self._progress: rich.progress.Progress | None = None
        self._tasks: dict[Digest, rich.progress.TaskID] = {}

    def told(self, blob: Blob, at: int) -> None:
        if blob.size < _SHOWN or time.monotonic() < self._from:
            return
        if self._progress is None:
            self._progress = _progress()
            self._progress.start()
        if blob.digest not in self._tasks:
            self._tasks[blob.digest] = self._progress.add_task(blob.digest.hex[:12], total=blob.size)
        self._progress.update(self._tasks[blob.digest], completed=at)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()


def _progress() -> rich.progress.Progress:
    import rich.console  # noqa: PLC0415
    import rich.progress  # noqa: PLC0415

    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.DownloadColumn(binary_units=True),
        rich.progress.TransferSpeedColumn(),
    )
    return rich.progress.Progress(*columns, console=rich.console.Console(stderr=True), transient=True)
