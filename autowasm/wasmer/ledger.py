"""Who fetched which module and when, numbered without a gap, kept on disk until controllers may have forgotten it.

    ROOT/fetches/id        the name under which this wasmer tells controllers of its fetches
    ROOT/fetches/records   one JSON object a line, as it is told; the last ones, some ten thousand

A line that a crash cut off is dropped when the file is read again. The number after it may then be given a second time:
controllers say which was the last that they heard of, and numbers go on from there.
"""

from __future__ import annotations

import bisect
import contextlib
import json
import math
import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from autowasm import errors, limits
from autowasm.digest import Digest
from autowasm.store import drafts

Record = dict[str, Any]
"""``{"n": int, "address": str, "digest": hex, "time": RFC 3339}``."""


_SAME_SECONDS: Final = 1.0


class Ledger:
    """The ledger in a wasmer's data folder. One thread adds and reads, another may flush.

    Raises:
        errors.Final: side "store", reason StoreUnusable, the folder can't be used.
    """

    def __init__(self, root: Path) -> None:
        self._file = root / "fetches" / "records"
        self._records: list[Record] = []
        self._pending: list[Record] = []
        self._latest: dict[tuple[str, Digest], float] = {}
        self._lines = 0
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self.wasmer = _identity(self._file.parent / "id")
            self._records += list(_read(self._file))[-limits.LEDGER_RECORDS :]
            self.last = _number(self._records[-1]) if self._records else 0
            self._rewrite()
        except OSError as error:
            message = f"folder {self._file.parent}: must be writable: {error.strerror or error}"
            raise errors.Final(message, side="store", reason="StoreUnusable") from error

    def add(self, address: str, digest: Digest, time: float) -> bool:
        """Take note of a fetch; it is on disk after the next ``flush``. Whether that is news.

        A sidecar fetches a module once for each of its filters: within a second that is one fetch.

        Args:
            address: of the sidecar.
            digest: of the module.
            time: seconds since the epoch.
        """
        key = address, digest
        if 0 <= time - self._latest.get(key, -math.inf) < _SAME_SECONDS:
            return False
        if len(self._latest) > limits.LEDGER_RECORDS:
            self._latest.clear()
        self._latest[key] = time
        self.last += 1
        when = datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        record = {"n": self.last, "address": address, "digest": digest.hex, "time": when}
        self._records.append(record)
        self._pending.append(record)
        for records in (self._records, self._pending):
            if len(records) > 2 * limits.LEDGER_RECORDS:
                del records[: -limits.LEDGER_RECORDS]
        return True

    def after(self, number: int, most: int) -> tuple[int, list[Record]]:
        """Up to ``most`` records behind a number, and the number that they follow: a later one if some are gone."""
        start = bisect.bisect_right(self._records, number, key=_number)
        found = self._records[start : start + most]
        if not found:
            return max(number, self.last), []
        behind = _number(found[0]) - 1
        # Up to a gap, if there is one: what comes behind it is told the next time.
        return behind, [record for place, record in enumerate(found, behind + 1) if _number(record) == place]

    def skip_to(self, number: int) -> None:
        """A controller knows a higher number than this: go on behind it."""
        self.last = max(self.last, number)

    def flush(self) -> None:
        """Write what is not on disk yet.

        Raises:
            errors.Retry: side "store"; what could not be written is written with the next.
        """
        records = list(self._pending)
        if not records:
            return
        data = "".join(_line(record) for record in records).encode()
        with drafts.judged("ledger of fetches", len(data)):
            if self._lines + len(records) > 2 * limits.LEDGER_RECORDS:
                self._rewrite()
            else:
                self._append(data)
                self._lines += len(records)
        self._pending = [record for record in self._pending if _number(record) > _number(records[-1])]

    def _append(self, data: bytes) -> None:
        with self._file.open("ab") as stream:
            before = stream.tell()
            try:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(stream.fileno(), before)
                raise

    def _rewrite(self) -> None:
        records = self._records[-limits.LEDGER_RECORDS :]
        draft = self._file.with_suffix(".new")
        with draft.open("wb") as stream:
            stream.write("".join(_line(record) for record in records).encode())
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(self._file)
        self._lines = len(records)


def _number(record: Record) -> int:
    return int(record["n"])


def _line(record: Record) -> str:
    return json.dumps(record, separators=(",", ":")) + "\n"


def _identity(file: Path) -> str:
    with contextlib.suppress(FileNotFoundError, ValueError):
        return uuid.UUID(file.read_text().strip()).hex
    found = uuid.uuid4().hex
    draft = file.with_suffix(".new")
    draft.write_text(found)
    draft.replace(file)
    return found


def _read(file: Path) -> Iterator[Record]:
    """The records up to the first line that is none."""
    before = 0
    with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        for line in file.read_text(errors="replace").splitlines(keepends=True):
            found = json.loads(line)
            record = {
                "n": int(found["n"]),
                "address": str(found["address"]),
                "digest": Digest(found["digest"]).hex,
                "time": str(found["time"]),
            }
            if not line.endswith("\n"):
                return
            if _number(record) > before:
                yield record
            before = max(before, _number(record))
