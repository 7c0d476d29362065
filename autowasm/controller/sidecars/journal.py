"""Keeps the records of fetches in a file: each is appended and synced before its wasmer is told that it is there.

A crash may cut the last line off; it is left out, and the wasmer tells it again. The file is written anew, and put in
the place of the old one, where it has grown to twice of what it says. A disk that is full loses nothing as long as the
program runs: what it has is in memory, and after a restart wasmers tell it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from autowasm.controller.sidecars.records import Fetch, Records, Telling, fetch_line, reach_line

_log = logging.getLogger(__name__)

SLACK: Final = 1000
"""Lines that a file may have beyond twice of what it says."""


class Journal:
    """The records, and the file that has them too."""

    def __init__(self, path: Path, slack: int = SLACK) -> None:
        self.records = Records()
        self._path = path
        self._slack = slack
        self._lines = 0
        self._whole = False
        self._turn = asyncio.Lock()
        with self._telling():
            if path.is_file():
                self.records.learn(path.read_text(errors="replace").splitlines())

    async def take(self, told: Telling) -> list[Fetch]:
        """Take in what a wasmer tells, and keep it; the fetches that are news."""
        async with self._turn:
            before = self.records.have(told.wasmer)
            news = self.records.take(told)
            if self.records.have(told.wasmer) != before or news:
                lines = [fetch_line(fetch.address, fetch.digest, fetch.time) for fetch in news]
                lines.append(reach_line(told.wasmer, self.records.have(told.wasmer)))
                if not self._whole or self._lines > 2 * len(self.records) + self._slack:
                    await asyncio.to_thread(self._write, list(self.records.lines()))
                else:
                    await asyncio.to_thread(self._append, lines)
            return news

    def _append(self, lines: Sequence[str]) -> None:
        self._whole = False  # whatever becomes of this one, the next write makes it whole
        with self._telling(), self._path.open("a") as file:
            _put(file.fileno(), lines)
            self._lines += len(lines)
            self._whole = True

    def _write(self, lines: Sequence[str]) -> None:
        draft = self._path.with_suffix(".new")
        with self._telling():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("w") as file:
                _put(file.fileno(), lines)
            draft.replace(self._path)
            _sync(self._path.parent)
            self._lines, self._whole = len(lines), True

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as fault:
            _log.warning("records of fetches not kept", extra={"path": str(self._path), "why": str(fault)})


def _put(handle: int, lines: Sequence[str]) -> None:
    data = "".join(f"{line}\n" for line in lines).encode()
    while data:
        data = data[os.write(handle, data) :]
    os.fsync(handle)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
