"""Tries that end: ``errors.Retry`` is tried again after a growing, jittered wait, all else goes through."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from autowasm import errors, limits

if TYPE_CHECKING:
    import tenacity  # loaded where something fails: what goes well does not wait for it

_LOG: Final = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Again:
    """What comes next: try number ``attempt`` of ``tries``, after ``wait`` seconds, because of ``error``."""

    error: errors.Retry
    attempt: int
    tries: int
    wait: float


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a caller persists: ``tries`` in all, waits in seconds between 0 and a doubling bound.

    ``tell`` hears of every wait before it begins, for somebody who sits in front of it. ``once``: reasons for which
    nothing is tried again; what may heal in a cluster is a slip of the pen on a command line.
    """

    tries: int = limits.REQUEST_TRIES
    base: float = limits.REQUEST_BACKOFF_BASE_SECONDS
    ceiling: float = limits.REQUEST_BACKOFF_MAX_SECONDS
    tell: Callable[[Again], None] | None = None
    once: frozenset[str] = frozenset()


async def persist(attempt: Callable[[], Awaitable[T]], patience: Patience) -> T:
    """Call until it succeeds, fails for good, or patience ends.

    A server that asks for a longer wait than ``ceiling`` is left to the caller at once.

    Raises:
        errors.Retry: the last one, its message saying how many tries there were.
        errors.Final: as raised by ``attempt``.
    """
    try:
        return await attempt()
    except errors.Retry as error:
        if not _worth_it(error, patience):
            raise
        return await _again(error, attempt, patience)


async def _again(first: errors.Retry, attempt: Callable[[], Awaitable[T]], patience: Patience) -> T:
    """Go on after the first try, which ended in this error."""
    import tenacity  # noqa: PLC0415

    tries = tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(patience.tries),
        retry=tenacity.retry_if_exception(lambda error: _worth_it(error, patience)),
        wait=_waits(patience),
        before_sleep=lambda state: _say(state, patience),
        reraise=True,
    )
    made = 0

    async def once() -> T:
        nonlocal made
        made += 1
        if made == 1:
            raise first
        return await attempt()

    try:
        return await tries(once)
    except errors.Retry as error:
        if made == 1:
            raise
        raise errors.Retry(
            f"{error.message}, tried {made} times",
            side=error.side,
            reason=error.reason,
            remedy=error.remedy,
            after=error.after,
        ) from error


def _worth_it(error: BaseException, patience: Patience) -> bool:
    if not isinstance(error, errors.Retry) or error.reason in patience.once:
        return False
    return (error.after or 0) <= patience.ceiling


def _waits(patience: Patience) -> Callable[[tenacity.RetryCallState], float]:
    """Between tries: jittered and doubling, and never less than the server asked for."""
    import tenacity  # noqa: PLC0415

    jittered = tenacity.wait_random_exponential(multiplier=patience.base, max=patience.ceiling)

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.after if isinstance(error, errors.Retry) else None
        return max(jittered(state), asked or 0.0)

    return wait


def _say(state: tenacity.RetryCallState, patience: Patience) -> None:
    error = state.outcome.exception() if state.outcome else None
    wait = state.upcoming_sleep
    _LOG.info(
        "request will be tried again",
        extra={"error": str(error), "attempt": state.attempt_number, "wait_seconds": wait},
    )
    if patience.tell is not None and isinstance(error, errors.Retry):
        patience.tell(Again(error, state.attempt_number + 1, patience.tries, wait))
