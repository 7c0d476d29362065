"""An Envoy as a process: started, asked over its admin port, its log read, and ended with its caller."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

# A log line that can be told from the text of a message, which may have line ends of its own.
BEGIN: Final = "\x1e~\x1e"
_FORMAT: Final = f"{BEGIN}%l\x1f%n\x1f%v"
_POLL: Final = 0.004
_LOG_BYTES: Final = 64 << 20
_ENDING: Final = 5.0


class Ended(Exception):
    """It ended, or did not get ready; the message has the end of its log.

    ``signal`` is what ended it, like "SIGSEGV", empty where it runs on, or ended by itself.
    """

    def __init__(self, message: str, signal: str = "") -> None:
        super().__init__(message)
        self.signal = signal


class Envoy:
    """One process with one worker. Use it as a context."""

    def __init__(self, program: Path, bootstrap: Mapping[str, Any], folder: Path) -> None:
        """Start it; the folder gets its files."""
        self._address_file, self._log, config = (folder / name for name in ("admin", "log", "bootstrap.json"))
        config.write_text(json.dumps(bootstrap), "utf-8")
        self._admin: http.client.HTTPConnection | None = None
        self._asking = threading.Lock()
        arguments = [
            str(program), "-c", str(config), "--concurrency", "1", "--disable-hot-restart",
            "--admin-address-path", str(self._address_file),
            "-l", "warning", "--component-log-level", "wasm:trace", "--log-format", _FORMAT,
        ]  # fmt: skip
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        if self._admin is not None:
            self._admin.close()
        self._process.kill()
        self._process.wait()

    def log(self) -> bytes:
        """All that it has logged so far.

        Raises:
            Ended: it logs without end.
        """
        if self._log.stat().st_size > _LOG_BYTES:
            raise Ended(f"Envoy has logged more than {_LOG_BYTES} bytes: {self._end_of_log()}")
        return self._log.read_bytes()

    def _end_of_log(self) -> str:
        with self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size - 2000))
            return log.read().decode("utf-8", "replace")

    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def wait_ready(self, within: float) -> None:
        """Wait until it takes traffic.

        Raises:
            Ended: it does not.
        """
        end = time.monotonic() + within
        while time.monotonic() < end and self.running():
            try:
                if self._get("/ready")[0] == 200:
                    return
            except (OSError, ValueError, http.client.HTTPException):
                self._admin = None  # not yet
            time.sleep(_POLL)
        raise self._ended("Envoy did not get ready")

    def listener(self) -> tuple[str, int]:
        """Where the only listener listens."""
        statuses = json.loads(self.ask("/listeners?format=json"))["listener_statuses"]
        place = statuses[0]["local_address"]["socket_address"]
        return str(place["address"]), int(place["port_value"])

    def stats(self, pattern: str) -> dict[str, int]:
        """Counters and gauges whose names match a regular expression."""
        found = json.loads(self.ask(f"/stats?format=json&filter={pattern}"))["stats"]
        return {each["name"]: int(each["value"]) for each in found if "name" in each}

    def ask(self, path: str) -> str:
        """What the admin port answers.

        Raises:
            Ended: it does not answer.
        """
        try:
            with self._asking:  # the upstreams' threads ask too
                return self._get(path)[1].decode("utf-8")
        except (OSError, http.client.HTTPException) as error:
            raise self._ended("Envoy ended") from error

    def _ended(self, what: str) -> Ended:
        """Its own handler prints a backtrace before the signal ends it, which takes a moment."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDING)
        code = self._process.poll() or 0
        name = signal.Signals(-code).name if code < 0 else ""
        return Ended(f"{what} {name}: {self._end_of_log()}", name)

    def _get(self, path: str) -> tuple[int, bytes]:
        if self._admin is None:
            host, _, port = self._address_file.read_text("utf-8").rpartition(":")
            self._admin = http.client.HTTPConnection(host, int(port), timeout=10)
        self._admin.request("GET", path)
        response = self._admin.getresponse()
        return response.status, response.read()
