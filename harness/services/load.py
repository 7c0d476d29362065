"""A steady stream of requests from one workload to another, on connections that stay open and on new ones.

A failure is an answer of 500 or above, a refused or reset connection, a cut body, a time-out. None of it is: the
other side's ``connection: close`` (the next request opens a new connection), and a connection that was closed while
it was idle, seen only when the next request is written to it: such an idempotent request is sent once more on a new
connection, as RFC 9110, 9.2.2 lets clients do, and counted as retried.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from typing import Final

from harness.mesh import LoadWish, RequestWish
from harness.observation import Gap, LoadResult, Response
from harness.services import traffic
from harness.services.traffic import Connection, Dial

_TOLD: Final = 20
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})


class Running:
    """A load that runs in threads of its own from the moment it is made.

    ``fresh`` is what is sent on new connections, where that is not the same as on those that stay open.
    """

    def __init__(self, dial: Dial, address: str, wish: LoadWish, fresh: RequestWish | None = None) -> None:
        self._dial = dial
        self._address = (address, wish.request.port)
        self._wish = wish
        self._fresh = fresh or wish.request
        self._left = itertools.islice(itertools.count(), wish.count)
        self._tally = _Tally(wish.watch)
        self._stop = threading.Event()
        kinds = [True] * wish.kept + [False] * wish.fresh
        self._threads = [
            threading.Thread(target=self._send, args=(number, kept), daemon=True, name=f"load-{number}")
            for number, kept in enumerate(kinds)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def busy(self) -> bool:
        """Whether it still sends: neither stopped nor at its count."""
        return any(thread.is_alive() for thread in self._threads)

    def stop(self) -> LoadResult:
        """End it and say what it met."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return self._tally.result()

    def _send(self, number: int, kept: bool) -> None:
        interval = len(self._threads) / self._wish.rate
        due = time.monotonic() + interval * number / len(self._threads)  # evenly spread, not all at once
        connection = self._connection()
        while not self._stop.wait(max(0.0, due - time.monotonic())) and self._tally.take(self._left):
            due += interval
            self._one(connection, self._wish.request if kept else self._fresh)
            if not kept:
                connection.close()
        connection.close()

    def _one(self, connection: Connection, request: RequestWish) -> None:
        reused = connection.sock is not None and connection.answers > 0
        try:
            self._tally.answer(traffic.exchange(connection, request))
        except (ConnectionResetError, BrokenPipeError) as error:
            # http.client tells an end before the first byte of an answer as RemoteDisconnected, a reset like this.
            connection.close()
            if not reused or connection.answering or request.method not in _IDEMPOTENT:
                self._tally.failure(traffic.words(error))
                return
            self._again(connection, request)
        except traffic.FAULTS as error:
            connection.close()
            self._tally.failure(traffic.words(error))

    def _again(self, connection: Connection, request: RequestWish) -> None:
        self._tally.retry()
        try:
            self._tally.answer(traffic.exchange(connection, request))
        except traffic.FAULTS as error:
            connection.close()
            self._tally.failure(f"{traffic.words(error)} (after a retry)")

    def _connection(self) -> Connection:
        return Connection(self._dial, self._address, self._wish.request.timeout)


class _Tally:
    """Counts for all threads; times are seconds since the load's start."""

    def __init__(self, watch: tuple[str, ...]) -> None:
        self._watch = watch
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._last_success = 0.0
        self._sent = self._failed = self._retried = 0
        self._failures: list[str] = []
        self._gap: Gap | None = None
        self._seen: Counter[str] = Counter()

    def take(self, left: itertools.islice[int]) -> bool:
        """Take one of the requests that may still be sent."""
        with self._lock:
            taken = next(left, None) is not None
            self._sent += taken
            return taken

    def answer(self, response: Response) -> None:
        """Count an answer."""
        assert response.status is not None
        if response.status >= 500:
            self.failure(f"{response.status} {response.body[:80].decode(errors='replace')}")
            return
        with self._lock:
            self._success()
            for name in self._watch:
                self._seen.update(f"{name}: {value}" for value in response.values(name))

    def failure(self, what: str) -> None:
        """Count a failure; the first of them are kept in words."""
        with self._lock:
            self._failed += 1
            if len(self._failures) < _TOLD:
                self._failures.append(f"{time.monotonic() - self._began:.3f} s: {what}")

    def retry(self) -> None:
        """Count a request that is sent once more."""
        with self._lock:
            self._retried += 1

    def result(self) -> LoadResult:
        """All of it."""
        with self._lock:
            return LoadResult(
                self._sent, self._failed, tuple(self._failures), self._gap, dict(self._seen), self._retried
            )

    def _success(self) -> None:
        now = time.monotonic() - self._began
        if self._gap is None or now - self._last_success > self._gap.seconds:
            self._gap = Gap(now - self._last_success, self._last_success)
        self._last_success = now
