"""A hostile registry gets nothing: each attack ends, under its reason, at a bounded cost."""

from __future__ import annotations

import pytest

from tests.unit.registry import hostile, victim

PEAK_BYTES = 64 << 20
SECONDS = 30.0  # the attacks themselves end within seconds; this is a bound for busy machines


@pytest.fixture(scope="module")
def suffered():
    """What all attacks cost a process that pulls."""
    with hostile.serving() as server:
        yield {one.name: one for one in victim.measure(server.host, hostile.ATTACKS)}


@pytest.mark.parametrize("name", hostile.ATTACKS)
def test_attack(suffered, name):
    """The attack ends with its reason on one line, in time, and costs less than 64 MiB over the idle process."""
    one = suffered[name]
    assert one.outcome == hostile.ATTACKS[name].outcome, one.message
    assert one.message.isprintable()
    assert len(one.message) < 1500
    assert one.peak < PEAK_BYTES
    assert one.seconds < SECONDS
