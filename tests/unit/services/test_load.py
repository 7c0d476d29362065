"""A load against servers that misbehave: what is a failure, what is not, and what is counted."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from harness.mesh import LoadWish, RequestWish
from harness.observation import LoadResult
from harness.services import load, traffic
from tests.unit.services import faulty
from tests.unit.services.faulty import CUT, OK, OLD, UNAVAILABLE, Act, answer


def run(acts: Sequence[Act], count: int, *, kept: int = 1, method: str = "GET") -> LoadResult:
    """Send ``count`` requests on one connection, kept or new each time, to a server that acts so."""
    with faulty.serving(acts) as port:
        request = RequestWish("server", port, method=method, timeout=5)
        wish = LoadWish(request, rate=1000, count=count, kept=kept, fresh=1 - kept, watch=("x-version",))
        running = load.Running(traffic.dial, "127.0.0.1", wish)
        deadline = time.monotonic() + 20
        while running.busy and time.monotonic() < deadline:
            time.sleep(0.005)
        return running.stop()


@pytest.mark.parametrize("kept", [0, 1])
def test_every_request_is_counted_and_no_more_are_sent_than_wished(kept: int) -> None:
    """A good server's answers are all successes, counted by the watched header."""
    met = run([answer(OK)], 20, kept=kept)
    assert (met.sent, met.failed, met.failures, met.retried) == (20, 0, (), 0)
    assert met.seen == {"x-version: v1": 20}
    assert met.longest_gap is not None
    assert met.longest_gap.seconds >= 0


@pytest.mark.parametrize(
    ("act", "word"),
    [
        (answer(UNAVAILABLE), "503 full"),
        (answer(CUT), "IncompleteRead"),
        (faulty.reset, "ConnectionResetError"),
        (faulty.silent_end, "RemoteDisconnected"),
    ],
)
def test_failures_are_counted_and_told(act: Act, word: str) -> None:
    """An answer of 500 or above, a cut body and a reset before any answer are failures, with when and what."""
    met = run([answer(OK), act, answer(OK)], 5, kept=0)
    assert (met.sent, met.failed, met.retried) == (5, 1, 0)
    assert word in met.failures[0]
    assert met.seen == {"x-version: v1": 4}


def test_a_connection_that_the_server_ends_politely_is_no_failure() -> None:
    """After ``connection: close`` the next request goes out on a new connection."""
    met = run([answer(OK), answer(OLD), answer(OK)], 6)
    assert (met.sent, met.failed, met.retried) == (6, 0, 0)
    assert met.seen == {"x-version: v1": 5, "x-version: v0": 1}


@pytest.mark.parametrize("act", [faulty.reset, faulty.silent_end])
def test_an_idle_connection_that_was_ended_is_tried_once_more(act: Act) -> None:
    """A request on a used connection that ends before its answer is sent again on a new one, and counted apart."""
    met = run([answer(OK), act, answer(OK)], 4)
    assert (met.sent, met.failed, met.retried) == (4, 0, 1)
    assert met.seen == {"x-version: v1": 4}


def test_what_is_not_idempotent_is_not_sent_again() -> None:
    """A POST whose connection ended may have been done: it is a failure."""
    met = run([answer(OK), faulty.reset, answer(OK)], 4, method="POST")
    assert (met.failed, met.retried) == (1, 0)


def test_an_answer_that_has_begun_is_never_asked_for_again() -> None:
    """A cut body on a used connection is a failure: its request was answered in part."""
    met = run([answer(OK), answer(CUT), answer(OK)], 4)
    assert (met.failed, met.retried) == (1, 0)


def test_a_second_failure_in_a_row_is_one() -> None:
    """A request that fails again after its retry is a failure."""
    met = run([answer(OK), faulty.reset, faulty.reset, answer(OK)], 4)
    assert (met.sent, met.failed, met.retried) == (4, 1, 1)
    assert "(after a retry)" in met.failures[0]


def test_nobody_there_is_a_failure_each_time_but_words_are_bounded() -> None:
    """A refused connection is a failure of each request; only the first are kept in words."""
    with faulty.serving([answer(OK)]) as port:
        pass
    wish = LoadWish(RequestWish("server", port, timeout=5), rate=5000, count=100, kept=1, fresh=1)
    running = load.Running(traffic.dial, "127.0.0.1", wish)
    deadline = time.monotonic() + 20
    while running.busy and time.monotonic() < deadline:
        time.sleep(0.005)
    met = running.stop()
    assert (met.sent, met.failed, len(met.failures)) == (100, 100, 20)
    assert running.stop() == met


def test_the_rate_is_kept() -> None:
    """A load sends no faster than wished, over all its connections."""
    with faulty.serving([answer(OK)]) as port:
        wish = LoadWish(RequestWish("server", port, timeout=5), rate=100, count=30, kept=2, fresh=1)
        began = time.monotonic()
        running = load.Running(traffic.dial, "127.0.0.1", wish)
        while running.busy and time.monotonic() < began + 20:
            time.sleep(0.005)
        assert time.monotonic() - began >= 0.27
        assert running.stop().sent == 30
