"""Persistence: what is tried again, how often, and what the last error says."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from autowasm import errors
from autowasm.net import retry

QUICK = retry.Patience(tries=4, base=0.0, ceiling=1.0)


class _Attempts:
    """Fails with the given errors, then succeeds."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.made = 0

    async def __call__(self) -> str:
        self.made += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


def _down(after: float | None = None) -> errors.Retry:
    return errors.Retry("is down", side="registry", reason="Unreachable", remedy="wait", after=after)


def test_heals():
    """A fault that a wait may heal is tried again until it has healed."""
    attempts = _Attempts(_down(), _down(0.0))
    assert asyncio.run(retry.persist(attempts, QUICK)) == "done"
    assert attempts.made == 3


def test_ends():
    """Patience ends, and the last error says after how many tries."""
    attempts = _Attempts(*[_down()] * 9)
    with pytest.raises(errors.Retry) as caught:
        asyncio.run(retry.persist(attempts, QUICK))
    assert attempts.made == 4
    assert caught.value.message == "is down, tried 4 times"
    assert (caught.value.side, caught.value.reason, caught.value.remedy) == (
        "registry",
        "Unreachable",
        "wait",
    )


def test_final_is_final():
    """An error that no wait heals is raised at once, as it is."""
    error = errors.Final("no", side="registry", reason="Forbidden")
    attempts = _Attempts(error)
    with pytest.raises(errors.Final) as caught:
        asyncio.run(retry.persist(attempts, QUICK))
    assert caught.value is error
    assert attempts.made == 1


def test_once():
    """A reason for which this caller does not wait is raised at once, as it is."""
    error = errors.Retry("no", side="registry", reason="NoSuchHost")
    attempts = _Attempts(error)
    with pytest.raises(errors.Retry) as caught:
        asyncio.run(retry.persist(attempts, dataclasses.replace(QUICK, once=frozenset({"NoSuchHost"}))))
    assert caught.value is error
    assert attempts.made == 1


def test_long_waits_are_the_callers():
    """A server that asks for a longer wait than the bound is left to the caller, with that wait."""
    attempts = _Attempts(_down(after=3600.0))
    with pytest.raises(errors.Retry) as caught:
        asyncio.run(retry.persist(attempts, QUICK))
    assert (attempts.made, caught.value.after) == (1, 3600.0)
    assert caught.value.message == "is down"


def test_waits_are_told():
    """Whoever wants to hear of waits hears which try comes next, of how many, and why; not of the last failure."""
    told: list[retry.Again] = []
    patience = retry.Patience(tries=3, base=0.0, ceiling=1.0, tell=told.append)
    with pytest.raises(errors.Retry):
        asyncio.run(retry.persist(_Attempts(*[_down()] * 9), patience))
    assert [(again.attempt, again.tries, again.error.message) for again in told] == [
        (2, 3, "is down"),
        (3, 3, "is down"),
    ]
